"""Facts that stand in more than one file of the repository agree."""

import configparser
import importlib
import re
from pathlib import Path

import pytest

import keras_pixel

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def setup_cfg():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def requirement_name(requirement):
    return re.match(r"[\w.-]+", requirement).group().lower()


def test_one_version_everywhere(setup_cfg):
    # The package's own: setup.cfg reads it from there.
    version = keras_pixel.__version__
    attribute = setup_cfg["metadata"]["version"]
    assert attribute == "attr: keras_pixel.__version__"
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {version}\n" in citation


def test_editors_see_the_public_names_and_types(setup_cfg):
    package = ROOT / "keras_pixel"
    assert (package / "py.typed").is_file()
    typed = setup_cfg["options.package_data"]["keras_pixel"].split()
    assert typed == ["py.typed"]
    source = (package / "__init__.py").read_text()
    (block,) = re.findall(r"^if TYPE_CHECKING:.*\n((?: +.*\n)+)", source, re.M)
    names = re.findall(r"import \w+ as (\w+)$", block, re.M)
    assert sorted(names) == keras_pixel.__all__


def test_one_licence_everywhere(setup_cfg):
    assert setup_cfg["metadata"]["license"] == "Apache-2.0"
    assert "\nlicense: Apache-2.0\n" in (ROOT / "CITATION.cff").read_text()
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License\n" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_console_script_exists(setup_cfg):
    scripts = setup_cfg["options.entry_points"]["console_scripts"]
    name, target = scripts.strip().split(" = ")
    module, function = target.split(":")
    assert name == "keras-pixel"
    assert callable(getattr(importlib.import_module(module), function))


def test_no_requirement_brings_another_framework(setup_cfg):
    extras = dict(setup_cfg["options.extras_require"])
    # Peers that a benchmark runs beside the package: only if asked for.
    peers = extras.pop("benchmark").split()
    assert peers == ["scikit-image", "torch", "transformers"]
    # Its models come as tasks of KerasHub to those who have it.
    assert extras.pop("kerashub").split() == ["keras-hub"]
    others = "".join(extras.values())
    assert "benchmark" not in others and "kerashub" not in others
    extras = extras.values()
    lines = "\n".join([setup_cfg["options"]["install_requires"], *extras])
    names = {requirement_name(line) for line in lines.split("\n") if line}
    assert {"tensorflow", "keras", "importlib_resources"} <= names
    assert names.isdisjoint({"torch", "torchvision", "keras-hub", "tf-keras"})


def test_every_extra_is_there(setup_cfg):
    extras = set(setup_cfg["options.extras_require"])
    assert extras >= {"jax", "onnxruntime", "serve", "test", "dev"}


def test_package_data_reaches_every_file_of_the_zoo(setup_cfg):
    patterns = setup_cfg["options.package_data"]["keras_pixel.zoo"].split()
    matched = {p for pattern in patterns for p in (ROOT / "zoo").glob(pattern)}
    files = {p for p in (ROOT / "zoo").rglob("*") if p.is_file()}
    assert files
    assert files <= matched


def test_zoo_is_data_only():
    # The name keras_pixel.zoo belongs to the folder of presets in a wheel.
    assert not (ROOT / "keras_pixel" / "zoo.py").exists()
    assert not (ROOT / "keras_pixel" / "zoo").exists()
    assert list((ROOT / "zoo").rglob("*.py")) == []


def test_makefile_has_the_targets_that_the_texts_name():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text()
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
        assert named <= targets, name
