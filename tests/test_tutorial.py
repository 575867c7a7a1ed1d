"""The tutorial's blocks run, and its pictures and numbers are theirs."""

import re

import pytest

from keras_pixel import presets
from tools import draw_tutorial

TEXT = draw_tutorial.PAGE.read_text()
STEPS = draw_tutorial.steps(TEXT)


def test_every_block_has_its_picture():
    assert len(STEPS) == TEXT.count("```python\n") == TEXT.count("![") >= 10
    names = [step.picture for step in STEPS]
    assert len(set(names)) == len(names)
    for step in STEPS:
        saved = re.findall(r'\.save(?:fig)?\("(.*?)"', step.source)
        assert saved == [step.picture]


def test_pictures_are_those_of_the_page():
    files = {path.name for path in draw_tutorial.PICTURES.iterdir()}
    assert files == {step.picture for step in STEPS}
    size = sum(path.stat().st_size for path in draw_tutorial.PICTURES.iterdir())
    assert size < 300_000


def test_what_is_printed_stands_below():
    for step in STEPS:
        assert ("print(" in step.source) == bool(step.printed)


@pytest.mark.slow
def test_blocks_run_in_order(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    printed = draw_tutorial.run(STEPS, tmp_path)
    # Numbers depend on the machine, words do not, but for a text that is drawn.
    words = re.compile(r"^[A-Za-z][^:\d\n]*:", re.MULTILINE)
    for step, text in zip(STEPS, printed, strict=True):
        if step.picture != "language.png":
            assert words.findall(text) == words.findall(step.printed)


def test_a_step_that_saves_something_else_is_refused(tmp_path):
    step = draw_tutorial.Step('open("other.png", "w").close()', "", "own.png")
    with pytest.raises(RuntimeError, match="own.png. Received:.*other.png"):
        draw_tutorial.run([step], tmp_path)


def test_what_is_printed_is_written_below():
    page = "```python\nprint(1)\n```\n\n![a](images/tutorial/a.png)\n\nEnd.\n"
    once = draw_tutorial.with_printed(page, ["1\n"])
    assert once == page.replace("\n\n![", "\n\n```text\n1\n```\n\n![")
    assert draw_tutorial.with_printed(once, ["1\n"]) == once
    assert draw_tutorial.with_printed(once, [""]) == page


ROWS = re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("name, row", ROWS, ids=[name for name, _ in ROWS])
def test_table_has_the_numbers_of_the_cards(name, row):
    about = presets.read_metadata(name)
    hours = (about.get("training") or {}).get("hours")
    assert row.split(" | ")[:4] == [
        f"{about['measured']['nats']:.2f}",
        f"{about['num_parameters']:,}",
        "–" if hours is None else f"{hours:.2f}",
        str(about["decoding"]["steps"]),
    ]


def test_there_are_rows():
    assert len(ROWS) == 9
