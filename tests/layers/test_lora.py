"""LoRA by hand: what a layer computes, what it saves, what it refuses."""

import keras
import numpy as np
import pytest

from keras_pixel import layers
from keras_pixel.layers.lora import enable_lora
from keras_pixel.layers.lora import lora_cost
from keras_pixel.layers.lora import num_parameters


def built(**arguments):
    layer = layers.MaskedConv2D(2, (1, 3), **arguments)
    layer.build((None, 4, 4, 1))
    layer.kernel.assign(np.reshape([1.0, 2, 3, 4, 5, 6], (1, 3, 1, 2)))
    return layer


def test_kernel_is_the_sum_and_masked_after_it():
    layer = built()
    layer.enable_lora(1, lora_alpha=2)
    layer.lora_kernel_a.assign(np.reshape([1.0, 10, 100], (1, 3, 1, 1)))
    layer.lora_kernel_b.assign([[1.0, -1]])
    # Twice, as `lora_alpha / rank` is 2.
    whole = np.reshape([3, 0, 23, -16, 205, -194], (1, 3, 1, 2))
    np.testing.assert_array_equal(layer.kernel, whole)
    whole[:, 2] = 0  # to the right
    np.testing.assert_array_equal(layer.masked_kernel(), whole)


def test_it_starts_as_it_was():
    layer = built()
    inputs = np.random.rand(1, 4, 4, 1)
    before = np.asarray(layer(inputs))
    layer.enable_lora(2)
    np.testing.assert_array_equal(layer(inputs), before)
    trained = [weight.name for weight in layer.trainable_weights]
    assert trained == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert (layer.lora_rank, layer.lora_alpha) == (2, 2)
    assert num_parameters(layer) == 6 + 2


def test_layers_inside_are_meant_too():
    layer = layers.GatedMaskedConv2D(2, 3, mask_type="A")
    layer.build([(None, 4, 4, 1)] * 2)
    assert lora_cost(layer, 1) == (
        (1 * 3 * 1 * 4 + 4 * 4) + 3 * 4 + 2 * 2,
        (3 + 4) + (4 + 4) + (3 + 4) + (2 + 2),
    )
    layer.horizontal.enable_lora(1)
    enable_lora(layer, 2)
    assert layer.horizontal.lora_rank == 1  # as it was
    assert layer.output_convolution.lora_rank == 2
    assert layer.lora_link_kernel_b.shape == (2, 4)


def test_layers_of_keras_are_meant_too():
    layer = layers.PerSubPixel(keras.layers.Dense(5))
    layer.build((None, 4, 4, 3))
    assert lora_cost(layer, 2) == (15, 2 * (3 + 5))
    enable_lora(layer, 2)
    assert layer.layers[0].lora_enabled
    assert num_parameters(layer) == 15 + 5


def test_loaded_weights_are_the_sums_and_training_goes_on():
    """Keras' own layers set both factors to zero, which have no gradient."""
    layer, store = built(), {}
    layer.enable_lora(1)
    layer.lora_kernel_b.assign([[1.0, 2.0]])
    expected = np.asarray(layer.kernel)
    layer.save_own_variables(store)
    assert len(store) == 2
    layer.load_own_variables(store)
    np.testing.assert_array_equal(layer.kernel, expected)
    assert not np.asarray(layer.lora_kernel_b).any()
    assert np.asarray(layer.lora_kernel_a).any()
    with pytest.raises(ValueError, match="Received: 1 weights for"):
        layer.load_own_variables({"0": store["0"]})


def test_low_precision_keeps_small_factors():
    layer = built(dtype="mixed_bfloat16")
    layer.enable_lora(1)
    assert layer.lora_kernel_a.dtype == "float32"
    assert layer(np.ones((1, 4, 4, 1))).dtype.name == "bfloat16"
    low = built(dtype="bfloat16")
    low.enable_lora(1)
    assert keras.backend.standardize_dtype(low.kernel.dtype) == "bfloat16"
    assert low.lora_kernel_a.dtype == "float32"


def test_what_cannot_be_is_refused():
    layer = layers.MaskedConv2D(2, 3)
    with pytest.raises(ValueError, match="needs a layer that is built"):
        layer.enable_lora(1)
    with pytest.raises(AttributeError, match="made by `build`"):
        _ = layer.kernel
    layer = built()
    with pytest.raises(ValueError, match="`rank` must be an integer"):
        layer.enable_lora(0)
    with pytest.raises(ValueError, match="`lora_alpha` must be a finite"):
        layer.enable_lora(1, lora_alpha=-1)
    layer.enable_lora(1)
    with pytest.raises(ValueError, match="only once.*lora_rank=1"):
        layer.enable_lora(2)
