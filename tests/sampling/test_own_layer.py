"""The layers that docs/decoding.md writes: both sides give the same."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_pixel import layers
from keras_pixel.sampling.graph import DecodingGraph
from tests.support import catalogue
from tests.support.stepping import assert_steps_are_the_call
from tests.support.stepping import lags_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "decoding.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page():
    """What the page's code defines, run from top to bottom."""
    found = {"__name__": "docs_decoding"}
    for source in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(source, "decoding.md", "exec"), found)
    return found


def model_of(layer, height, width):
    images = keras.Input((height, width, 1), dtype="int32")
    x = layers.ScaleLevels(4)(images)
    x = layers.MaskedConv2D(4, (1, 3), "A")(x)
    x = layer(keras.layers.ReLU()(layer(x)))
    return catalogue.randomize(
        keras.Model(images, layers.CategoricalHead(4)(x))
    )


@pytest.mark.parametrize("size", [(5, 6), (1, 5), (4, 1)])
@pytest.mark.parametrize("name", ["DilatedConv2D", "DecayingSum"])
def test_steps_are_the_call(page, name, size):
    layer = page[name](4) if name == "DilatedConv2D" else page[name]()
    model = model_of(layer, *size)
    assert DecodingGraph(model).lag == 2
    images = np.random.default_rng(0).integers(4, size=(2, *size, 1))
    for lag in lags_of(model):
        assert_steps_are_the_call(model, images, lag)


@pytest.mark.parametrize("name", ["DilatedConv2D", "DecayingSum"])
def test_config_makes_the_layer_anew(page, name):
    arguments = {"filters": 3} if name == "DilatedConv2D" else {"decay": 0.1}
    layer = page[name](**arguments)
    assert page[name].from_config(layer.get_config()).get_config() == (
        layer.get_config()
    )


def test_example_is_drawn_along_a_wavefront(page):
    assert page["model"].lag == 2


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_figure_is_up_to_date():
    from tools import draw_wavefront

    assert draw_wavefront.PATH.read_text("utf-8") == draw_wavefront.text()
