"""The examples of README and docs run; commands and files exist."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import keras_pixel
from keras_pixel.cli.main import app
from keras_pixel.training import Recipe
from keras_pixel.training import building
from tools import build_docs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

GUIDES = {path.stem: path.read_text() for path in ROOT.glob("docs/*.md")}
CONDITIONS = GUIDES["conditions"]
# The first is one long example (`test_own_layer.py` runs it), the second needs
# a data set, and the blocks of the third build on one another
# (`test_tutorial.py`).
ELSEWHERE = ("decoding", "probe", "tutorial")


def blocks(language, page=README):
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            source,
            id=f"{name}-{i}",
            # What a stranger tries first is tried in every run.
            marks=[] if name == "README" else [pytest.mark.slow],
        )
        for name, page in sorted({"README": README, **GUIDES}.items())
        if name not in ELSEWHERE
        for i, source in enumerate(blocks("python", page), 1)
    ],
)
def test_example_runs(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(source, "README.md", "exec"), {})


def test_recipe_is_one():
    (text,) = blocks("json", GUIDES["training"])
    Recipe.from_dict(json.loads(text))


def test_model_starts_from_one_without_conditions():
    (text,) = blocks("json", CONDITIONS)
    recipe = Recipe.from_dict(json.loads(text))
    model = building.build_model(recipe)
    source = keras_pixel.load(recipe.weights)
    building.copy_initial_weights(model, source, recipe.weights)
    images = np.zeros((1, 28, 28, 1), "uint8")
    np.testing.assert_allclose(
        model.log_prob(images, labels=3), source.log_prob(images), rtol=1e-4
    )


COMMANDS = sorted(
    set(
        re.findall(
            r"^keras-pixel (.*)$",
            "\n".join([README, *GUIDES.values()]),
            re.MULTILINE,
        ),
    )
)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_and_its_options_exist(command):
    # What follows `--` belongs to another program.
    name, *words = command.split(" -- ")[0].split()
    # One of a group of commands.
    names = [name, words[0]] if name == "bulk" else [name]
    result = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for option in (word for word in words if word.startswith("--")):
        assert option in result.output


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "CONTRIBUTING.md",
        "examples/README.md",
        *(f"docs/{name}.md" for name in sorted(GUIDES)),
    ],
)
def test_links_lead_to_files(path):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / path).read_text())
    local = [link for link in links if not link.startswith("http")]
    folder = (ROOT / path).parent
    assert [link for link in local if not (folder / link).exists()] == []


def test_there_is_something_to_check():
    assert len(COMMANDS) >= 20
    assert len(README.splitlines()) < 250
    assert len(blocks("python")) >= 3
    for name, number in {
        **{"sequences": 3, "policy": 1, "conditions": 3, "orders": 2},
        **{"classification": 1, "finetuning": 1, "outliers": 1},
        **{"bulk": 1},
        **{"data": 2, "deploying": 1, "models": 3},
    }.items():
        assert len(blocks("python", GUIDES[name])) >= number


def test_site_has_all_guides():
    nav = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    pages = re.findall(r"[\w/]+\.md", nav)
    assert sorted(x for x in pages if x.startswith("docs/")) == sorted(
        f"docs/{name}.md" for name in GUIDES
    )
    assert sorted(x for x in pages if x.startswith("reference/")) == sorted(
        f"reference/{name}.md" for name in ["keras_pixel", *build_docs.PARTS]
    )
    for page in pages:
        assert (ROOT / page).is_file() or page.startswith("reference/")
