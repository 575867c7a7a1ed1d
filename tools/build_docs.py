"""Builds the documentation as a site, without a network.

    python -m tools.build_docs          # build/site/index.html

The pages are those of the checkout, where they are read as they are; a
reference is added, made of the public classes' docstrings. A warning is an
error. Needs the extra `docs`.
"""

import argparse
import importlib
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterable

ROOT = pathlib.Path(__file__).parents[1]
SOURCE = ROOT / "build" / "site_source"
# Folders with pages, and what beside the pages belongs to them.
FOLDERS = ("docs", "zoo", "benchmarks", "examples", "export")
SUFFIXES = (".md", ".png", ".svg", ".json")
# Parts of the reference: module, and what it is for.
PARTS = {
    "models": "The families, and what they have in common.",
    "layers": "What models are made of; for graphs of your own.",
    "distributions": "What a head's parameters stand for.",
    "data": "Images as integer levels.",
    "training": "Recipes, fine-tuning, evaluation.",
    "tasks": "What a trained model is for.",
    "export": "SavedModel, ONNX, TF-Serving.",
}
# Classes made of several, whose methods are told at one place: here.
WITH_INHERITED = {"PixelModel"}


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    shutil.rmtree(SOURCE, ignore_errors=True)
    copy_pages()
    write_reference()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    # What Material says of itself at every start.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, check=False, env=environment)
    if done.returncode == 0:
        print(f"{ROOT / 'build' / 'site' / 'index.html'}")
    sys.exit(done.returncode)


def copy_pages() -> None:
    """Copy all pages, and their pictures, to the same places."""
    found = [*ROOT.glob("*.md")]
    for folder in FOLDERS:
        found += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in SUFFIXES
        ]
    for path in found:
        place = SOURCE / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def write_reference() -> None:
    """Write a page for each part of the public names."""
    folder = SOURCE / "reference"
    folder.mkdir()
    import keras_pixel

    own = [
        name
        for name in keras_pixel.__all__
        if callable(getattr(keras_pixel, name))
        and not hasattr(keras_pixel.models, name)
    ]
    (folder / "keras_pixel.md").write_text(
        page("keras_pixel", "What everything begins with.", own)
    )
    for part, about in PARTS.items():
        module = importlib.import_module(f"keras_pixel.{part}")
        text = page(f"keras_pixel.{part}", about, module.__all__)
        (folder / f"{part}.md").write_text(text)


def page(module: str, about: str, names: Iterable[str]) -> str:
    lines = [f"# {module}", "", about, ""]
    for name in sorted(names):
        lines.append(f"::: {module}.{name}")
        if name in WITH_INHERITED:
            lines += ["    options:", "      inherited_members: true"]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
