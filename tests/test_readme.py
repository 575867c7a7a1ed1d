"""The examples of README and docs run; commands and files exist."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keras_pixel.cli.main import app
from keras_pixel.training import Recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


SEQUENCES = (ROOT / "docs" / "sequences.md").read_text()
POLICY = (ROOT / "docs" / "policy.md").read_text()


def blocks(language, page=README):
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


@pytest.mark.parametrize(
    "source",
    [
        *blocks("python"),
        *blocks("python", SEQUENCES),
        *blocks("python", POLICY),
    ],
    ids=lambda source: source.split("\n")[-2],
)
def test_example_runs(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(source, "README.md", "exec"), {})


def test_recipe_is_one():
    (text,) = blocks("json")
    Recipe.from_dict(json.loads(text))


COMMANDS = sorted(set(re.findall(r"^keras-pixel (.*)$", README, re.MULTILINE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_and_its_options_exist(command):
    name, *words = command.split()
    result = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for option in (word for word in words if word.startswith("--")):
        assert option in result.output


@pytest.mark.parametrize(
    "path",
    [
        *("README.md", "docs/sequences.md", "docs/policy.md"),
        "examples/README.md",
    ],
)
def test_links_lead_to_files(path):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / path).read_text())
    local = [link for link in links if not link.startswith("http")]
    folder = (ROOT / path).parent
    assert [link for link in local if not (folder / link).exists()] == []


def test_there_is_something_to_check():
    assert len(COMMANDS) >= 7
    assert len(blocks("python")) >= 3
    assert len(blocks("python", SEQUENCES)) >= 3
    assert len(blocks("python", POLICY)) >= 1
