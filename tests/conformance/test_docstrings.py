"""Do the examples in the docstrings run and print what they say?"""

import doctest
import importlib

import pytest

from tests.support.imports import ROOT
from tests.support.imports import module_name

WITH_EXAMPLES = [
    module_name(path)
    for path in sorted((ROOT / "keras_pixel").rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.ELLIPSIS
    )
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("room", ["layers", "distributions", "models"])
def test_every_public_class_has_an_example(room):
    module = importlib.import_module(f"keras_pixel.{room}")
    bases = {"CausalLayer", "PixelDistribution", "PixelModel"}
    without = [
        name
        for name in module.__all__
        if name not in bases and ">>> " not in getattr(module, name).__doc__
    ]
    assert without == []
