"""Arguments of models: the constructor's, and those of public methods."""

import inspect

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel import PixelCNN
from keras_pixel import PixelModel
from keras_pixel import layers
from tests.support import catalogue

SMALL = {"filters": 4, "num_blocks": 0, "head_filters": 0}


@pytest.fixture(scope="module")
def model():
    return catalogue.randomize(PixelCNN((2, 2, 1), 4, **SMALL))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "float16"])
def test_dtype_is_that_of_all_layers(dtype):
    before = keras.config.dtype_policy()
    model = PixelCNN((2, 2, 1), 4, dtype=dtype, **SMALL)
    assert keras.config.dtype_policy() is before
    assert model.get_layer("first").dtype_policy.name == dtype
    assert model.get_config()["dtype"] == dtype
    again = PixelCNN.from_config(model.get_config())
    assert again.get_layer("first").dtype_policy.name == dtype
    policy = keras.DTypePolicy(dtype)
    again = PixelCNN((2, 2, 1), 4, dtype=policy, **SMALL)
    assert again.get_layer("first").dtype_policy.name == dtype
    assert np.isfinite(model.log_prob(catalogue.levels(model))).all()


def test_dtype_may_be_left_out():
    assert "dtype" not in PixelCNN((2, 2, 1), 4, **SMALL).get_config()
    model = PixelCNN((2, 2, 1), 4, dtype=None, **SMALL)
    assert model.get_layer("first").dtype_policy.name == "float32"


def test_wrong_dtype_is_refused():
    with pytest.raises(ValueError, match="`dtype` must be .*'float31'"):
        PixelCNN((2, 2, 1), 4, dtype="float31")


@pytest.mark.parametrize(
    ("arguments", "near"), [({"fitlers": 8}, "filters"), ({"dtyp": 1}, "dtype")]
)
def test_unknown_argument_is_refused(arguments, near):
    with pytest.raises(TypeError, match=f"Received: .*Did you mean '{near}'"):
        PixelCNN(**arguments)


@pytest.mark.parametrize("dropout", [True, 1.0, -0.1, "a", []])
@pytest.mark.parametrize(
    "name",
    [
        name
        for name in keras_pixel.__all__
        if "Pixel" in name
        and "dropout"
        in inspect.signature(getattr(keras_pixel, name)).parameters
    ],
)
def test_wrong_dropout_is_refused(name, dropout):
    with pytest.raises(ValueError, match="`dropout` must be a number"):
        getattr(keras_pixel, name)(dropout=dropout)


def own_graph(shape=(3, 3, 1), num_levels=4):
    images = keras.Input(shape, dtype="int32")
    x = layers.ScaleLevels(4)(images)
    x = layers.MaskedConv2D(4, 3, mask_type="A")(x)
    return images, layers.CategoricalHead(num_levels)(x)


@pytest.mark.parametrize("num_levels", [0, 1, 300, 4.0, True])
def test_wrong_number_of_levels_is_refused(num_levels):
    with pytest.raises(ValueError, match="`num_levels` must be an integer fr"):
        PixelModel(*own_graph(), num_levels=num_levels)
    distribution = keras_pixel.distributions.Categorical(300)
    with pytest.raises(ValueError, match="from 2 to 256.*num_levels=300"):
        PixelModel(*own_graph(num_levels=300), distribution)


def test_inputs_must_be_images():
    images, logits = own_graph()
    unknown = keras.Input((None, None, 1), dtype="int32")
    flat = keras.Input((9,), dtype="int32")
    for inputs in (unknown, flat, None):
        with pytest.raises(ValueError, match="`inputs` must be one `keras.Inp"):
            PixelModel(inputs, logits, num_levels=4)
    with pytest.raises(ValueError, match="`outputs` must have the shape"):
        PixelModel(images, [logits], num_levels=4)


def test_graph_of_ones_own_takes_no_dtype():
    with pytest.raises(TypeError, match="takes the arguments.*dtype='float16'"):
        PixelModel(*own_graph(), num_levels=4, dtype="float16")


@pytest.mark.parametrize(
    "name",
    [
        *("log_prob", "bits_per_dim", "sample", "complete", "particles"),
        *("beam_search", "conditional_bits_per_dim", "features"),
        "save_preset",
    ],
)
def test_public_methods_write_their_arguments_out(model, name):
    method = getattr(model, name)
    parameters = inspect.signature(method).parameters.values()
    kinds = {p.kind for p in parameters}
    assert not kinds & {
        inspect.Parameter.VAR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    }
    doc = inspect.getdoc(method)
    if name != "bits_per_dim":  # refers to `log_prob`
        assert all(p.name in doc for p in parameters)
    with pytest.raises(TypeError, match=rf"\w+Model.{name}\(\) got an unexp"):
        method(wrong=1)


def test_log_prob_of_sub_pixels(model):
    images = catalogue.levels(model, 5)
    found = model.log_prob(images, reduce="sub_pixels", batch_size=2)
    assert found.shape == (5, 2, 2, 1) and found.dtype == "float32"
    np.testing.assert_allclose(
        found.sum(axis=(1, 2, 3)), model.log_prob(images), rtol=1e-5
    )
    assert model.log_prob(images[:0], reduce="sub_pixels").shape == (0, 2, 2, 1)
    with pytest.raises(ValueError, match="`reduce` must be one of"):
        model.log_prob(images, reduce="pixels")


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, "a"])
@pytest.mark.parametrize("method", ["log_prob", "bits_per_dim", "features"])
def test_wrong_batch_size_is_refused(model, method, batch_size):
    with pytest.raises(ValueError, match="`batch_size` must be an integer"):
        getattr(model, method)(catalogue.levels(model), batch_size=batch_size)


def test_names_of_keras_hub(model, tmp_path):
    path = model.save_to_preset(tmp_path / "mine")
    again = PixelCNN.from_preset(path)
    assert again.name == "mine"
    images = catalogue.levels(model)
    np.testing.assert_array_equal(
        again.log_prob(images), model.log_prob(images)
    )
    low = PixelCNN.from_preset(path, dtype="mixed_bfloat16")
    assert low.get_layer("first").compute_dtype == "bfloat16"
    with pytest.raises(ValueError, match="needs a preset of a GatedPixelCNN"):
        keras_pixel.GatedPixelCNN.from_preset(path)
