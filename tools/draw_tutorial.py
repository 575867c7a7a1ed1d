"""Draws the pictures of docs/tutorial.md, by running its blocks.

    python -m tools.draw_tutorial

The blocks run in order, in one namespace and an empty folder. Each must save
the picture that the page shows below it, and nothing else. What a block prints
is written into the page, below its picture's block of code, so that neither
pictures nor numbers drift away from the lines that make them. Needs the extras
`plot` and `tasks`, and no data set.
"""

import argparse
import contextlib
import dataclasses
import io
import os
import pathlib
import re
import tempfile
import time
from collections.abc import Iterable

from PIL import Image

from keras_pixel.data import save_picture
from tools import cards

PAGE = cards.ROOT / "docs" / "tutorial.md"
PICTURES = PAGE.parent / "images" / "tutorial"
# A block of code, what it prints, and its picture.
_STEP = re.compile(
    r"```python\n(?P<source>.*?)```\n\n"
    r"(?:```text\n(?P<printed>.*?)```\n\n)?"
    r"!\[[^\]]+\]\(images/tutorial/(?P<picture>\w+\.png)\)\n",
    re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Step:
    """A block of the page: its code, what it prints, its picture's name."""

    source: str
    printed: str
    picture: str


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        printed = run(steps(PAGE.read_text()), pathlib.Path(folder))
        PICTURES.mkdir(parents=True, exist_ok=True)
        for path in sorted(pathlib.Path(folder).iterdir()):
            # A palette is half as large; sheets and plots have few colours.
            picture = Image.open(path).convert("RGB").quantize(64)
            save_picture(picture, PICTURES / path.name)
    # Read again: it may have been edited meanwhile.
    PAGE.write_text(with_printed(PAGE.read_text(), printed))


def steps(text: str) -> list[Step]:
    """The steps of the page, in order."""
    return [
        Step(found["source"], found["printed"] or "", found["picture"])
        for found in _STEP.finditer(text)
    ]


def run(steps: Iterable[Step], folder: pathlib.Path) -> list[str]:
    """Run the steps in a folder; what each has printed.

    Raises:
        RuntimeError: if a step does not save exactly its own picture.
    """
    namespace: dict[str, object] = {}
    printed = []
    with contextlib.chdir(folder):
        for number, step in enumerate(steps, 1):
            before, start = set(os.listdir()), time.perf_counter()
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(step.source, f"step {number}", "exec"), namespace)
            saved = set(os.listdir()) - before
            if saved != {step.picture}:
                raise RuntimeError(
                    f"A step saves the picture shown below it, "
                    f"{step.picture}. Received: {sorted(saved)} of step "
                    f"{number}. Change the page's code or its picture."
                )
            printed.append(output.getvalue())
            seconds = time.perf_counter() - start
            print(f"{number}. {step.picture}: {seconds:.1f} s", flush=True)
    return printed


def with_printed(text: str, printed: Iterable[str]) -> str:
    """The page with what its steps have printed."""
    outputs = iter(printed)

    def replace(found: re.Match[str]) -> str:
        output = next(outputs)
        shown = f"```text\n{output}```\n\n" if output else ""
        whole, start = found[0], found.start()
        code = whole[: found.end("source") - start] + "```\n\n"
        return code + shown + whole[whole.rindex("![") :]

    return _STEP.sub(replace, text)


if __name__ == "__main__":
    main()
