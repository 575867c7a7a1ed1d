"""The package keeps its rooms apart: who may import whom, and how."""

import ast
import configparser
import re
import sys

import pytest

from tests.support.imports import ROOT
from tests.support.imports import imported_modules
from tests.support.imports import module_name
from tests.support.imports import room_of
from tests.support.imports import uses_keras_ops

PACKAGE = ROOT / "keras_pixel"

# Room: (rooms it may import, outside packages it may import). A room is a
# module or a folder of keras_pixel; "layers.base" is one module of a folder.
# The standard library is always allowed, and so are these:
FLOOR = ("order", "levels", "checks", "schemas", "files")
ALL = "all"
ALLOWED = {
    "order": ((), ("numpy",)),
    "levels": ((), ("keras",)),
    "checks": ((), ("keras", "numpy")),
    "schemas": (("checks",), ("pydantic",)),
    "files": ((), ()),
    "start": ((), ("keras",)),
    "compiled": ((), ("jax", "keras", "numpy", "tensorflow")),
    # The head of a mixture asks it for likelihoods.
    "layers": (("distributions",), ("keras", "numpy")),
    "distributions": ((), ("keras", "numpy", "tensorflow_probability")),
    "sampling": (
        # The protocol of the layers, and none of them but the border's.
        (
            *("compiled", "layers.base", "layers.buffers", "layers.grid"),
            *("layers.reorder", "distributions"),
        ),
        ("keras", "numpy"),
    ),
    "models": (
        ("compiled", "layers", "distributions", "sampling", "presets"),
        # What they are trained on may be a data set of TensorFlow's.
        ("keras", "numpy", "tensorflow"),
    ),
    "data": (
        (),
        (
            *("keras", "numpy", "PIL", "pyarrow", "tensorflow"),
            "tensorflow_datasets",
        ),
    ),
    "presets": (
        # A discretizer is loaded with its model. What LoRA adds is merged.
        ("keras_pixel", "data.discretizer", "layers.lora"),
        (
            *("h5py", "huggingface_hub", "kagglehub", "keras", "numpy"),
            *("pydantic", "typing_extensions"),
        ),
    ),
    "training": (
        # Heads and inputs are made anew where they know of levels.
        ("models", "layers", "data", "distributions", "presets"),
        (
            *("jax", "keras", "matplotlib", "ml_dtypes", "numpy", "PIL"),
            *("pydantic", "rich", "tensorboard", "tensorflow"),
            "typing_extensions",
        ),
    ),
    "export": (
        # Exporters are handed a model.
        ("compiled", "sampling", "layers.buffers", "layers.lora"),
        (
            *("keras", "numpy", "tensorflow", "tf2onnx", "onnx"),
            *("onnxruntime", "google", "tensorflow_serving"),
        ),
    ),
    "serving": (
        ("export",),
        (
            *("numpy", "tensorflow", "aiohttp", "google", "grpc"),
            *("prometheus_client", "tensorflow_serving"),
        ),
    ),
    # Tasks are handed a model and data; a compressor drives its graph, and a
    # detector of outliers trains a background model. Bulk work opens data that
    # no memory holds, in the processes that work on them.
    "tasks": (
        (
            *("keras_pixel", "presets", "sampling", "training", "start"),
            "data",
        ),
        (
            *("apache_beam", "constriction", "matplotlib", "numpy", "PIL"),
            *("pyarrow", "ray", "sklearn", "tensorflow"),
        ),
    ),
    # A page is handed presets, and turns levels into pictures.
    "demo": (("presets", "data"), ("gradio", "numpy", "PIL")),
    # Imported by its users alone, who have KerasHub.
    "kerashub": (("models", "presets"), ("keras", "keras_hub", "numpy")),
    "cli": (ALL, ("keras", "numpy", "PIL", "rich", "typer")),
    "__main__": (("cli",), ()),
    "__init__": (ALL, ("keras",)),
}

# The two arrows that run back up, inside functions only: `model.export` calls
# the exporters, and loading a preset registers the models.
LATER = {"models": "export", "presets": "models"}

# Imported inside functions only: each is slow to import, or is missing where
# keras_pixel runs on JAX.
LAZY = {
    "apache_beam",
    "constriction",
    "gradio",
    "huggingface_hub",
    "jax",
    "kagglehub",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "pyarrow",
    "ray",
    "sklearn",
    "tensorboard",
    "tensorflow",
    "tensorflow_datasets",
    "tensorflow_probability",
    "tensorflow_serving",
    "tf2onnx",
}

# The other rooms work on NumPy arrays.
USES_KERAS_OPS = {
    "levels",
    "checks",
    "compiled",
    "layers",
    "distributions",
    "sampling",
    "models",
    "training",
}


def is_allowed(module, room):
    """May `room` import `module`?"""
    rooms, outside = ALLOWED[room]
    top = module.split(".")[0]
    if top != "keras_pixel":
        return top in outside or top in sys.stdlib_module_names
    if rooms == ALL or room_of(module) == room:
        return True
    if room not in FLOOR:
        rooms = (*rooms, *FLOOR)
    inner = module.removeprefix("keras_pixel.")
    return any(inner == name or inner.startswith(name + ".") for name in rooms)


def check_source(source, module, is_package=False):
    """Returns one line for everything in `source` that breaks a rule."""
    tree = ast.parse(source)
    room = room_of(module)
    inside_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    problems = []
    for node in ast.walk(tree):
        where = f"{module}, line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Assert):
            problems.append(f"{where}: raises no proper error: assert")
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in imported_modules(node, module, is_package):
                is_late = id(node) in inside_functions
                up = is_late and room_of(name) == LATER.get(room)
                if not (up or is_allowed(name, room)):
                    problems.append(f"{where}: {room} imports {name}")
                if name.split(".")[0] in LAZY and not is_late:
                    problems.append(f"{where}: at module level: {name}")
        if room not in USES_KERAS_OPS and uses_keras_ops(node):
            problems.append(f"{where}: {room} uses keras.ops")
    return problems


SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_source_file_keeps_the_rules(path):
    module = module_name(path)
    assert room_of(module) in ALLOWED, "add the new room to ALLOWED"
    is_package = path.name == "__init__.py"
    assert check_source(path.read_text(), module, is_package) == []


def test_there_is_something_to_check():
    assert len(SOURCES) > 10


@pytest.mark.parametrize(
    ("source", "module", "problem"),
    [
        ("import keras", "order", "order imports keras"),
        ("from keras_pixel import models", "layers.x", "imports keras_pixel."),
        ("from ..models.pixelcnn import PixelCNN", "layers.x", "models"),
        ("from keras_pixel import load", "layers.x", "imports keras_pixel"),
        ("from keras_pixel import levels", "checks", "checks imports"),
        ("from keras_pixel import export", "models.x", "imports keras_pixel."),
        ("import torch", "models.x", "models imports torch"),
        ("import tensorflow as tf", "data.x", "at module level: tensorflow"),
        ("from keras import ops", "data.x", "data uses keras.ops"),
        ("import keras\nkeras.ops.zeros(1)", "presets", "uses keras.ops"),
        ("assert True", "presets", "assert"),
    ],
)
def test_broken_rule_is_found(source, module, problem):
    problems = check_source(source, f"keras_pixel.{module}")
    assert any(problem in line for line in problems)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import os\nimport numpy as np", "order"),
        ("from keras_pixel import order", "layers.x"),
        ("from .masked_conv2d import MaskedConv2D", "layers.x"),
        ("def f():\n    import tensorflow", "data.x"),
        ("from keras_pixel.layers.base import CausalLayer", "sampling.x"),
        ("def f():\n    from keras_pixel import export", "models.x"),
    ],
)
def test_allowed_import_passes(source, module):
    assert check_source(source, f"keras_pixel.{module}") == []


def read_setup_cfg():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def test_every_package_is_listed_in_setup_cfg():
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in PACKAGE.rglob("__init__.py")
    }
    listed = set(read_setup_cfg()["options"]["packages"].split())
    assert listed == found | {"keras_pixel.zoo"}


def test_every_outside_package_is_a_declared_dependency():
    config = read_setup_cfg()
    text = config["options"]["install_requires"]
    text += "\n".join(config["options.extras_require"].values())
    declared = set(re.findall(r"^[\w-]+", text, flags=re.MULTILINE))
    outside = {name for _, names in ALLOWED.values() for name in names}
    called = {
        "PIL": "pillow",
        "google": "protobuf",
        "grpc": "grpcio",
        "sklearn": "scikit-learn",
        "tensorflow_serving": "tensorflow-serving-api",
    }
    distributions = {called.get(name, name) for name in outside}
    assert {name.replace("_", "-") for name in distributions} <= {
        name.replace("_", "-") for name in declared
    }


def test_every_source_folder_is_a_package():
    folders = {path.parent for path in SOURCES}
    assert [f for f in folders if not (f / "__init__.py").is_file()] == []


def test_programs_of_the_tests_are_files():
    """A program in a string is read by no editor, linter or formatter."""
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value == "-c"
    }
    # This comparison, and those that are still to be moved.
    found.discard("tests/test_architecture.py")
    assert found <= {
        "tests/conformance/test_backend.py",
        "tests/export/test_alone.py",
    }
