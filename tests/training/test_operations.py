"""Operations of a pass, against numbers computed by hand."""

import keras
import pytest
from keras import ops

import keras_pixel
from keras_pixel.layers import CausalAttention
from keras_pixel.layers import MaskedConv2D
from keras_pixel.layers import RowLSTM
from keras_pixel.training import count_operations


def model_of(shape, *layers):
    return keras.Sequential([keras.Input(shape), *layers])


def test_dense_layers_count_each_multiply_add_twice():
    model = model_of((5,), keras.layers.Dense(7), keras.layers.Dense(2))
    assert count_operations(model) == 2 * (5 * 7 + 7 * 2)


def test_training_counts_two_products_more():
    model = model_of((5,), keras.layers.Dense(7))
    assert count_operations(model, training=True) == 3 * 2 * 5 * 7


def test_masked_convolution_counts_its_zeros():
    model = model_of((4, 6, 3), MaskedConv2D(8, 5, mask_type="A"))
    # Kernels hold the three rows down to the centre.
    assert count_operations(model) == 2 * 4 * 6 * 8 * (3 * 5 * 3)


def test_1x1_convolution_is_a_product():
    model = model_of((4, 6, 3), MaskedConv2D(8, 1))
    assert count_operations(model) == 2 * 4 * 6 * 3 * 8


def test_transposed_and_depthwise_convolutions():
    model = model_of(
        (4, 6, 3), keras.layers.Conv2DTranspose(8, 3, 2, padding="same")
    )
    assert count_operations(model) == 2 * (4 * 6 * 3) * (3 * 3 * 8)
    model = model_of((4, 6, 3), keras.layers.DepthwiseConv2D(3, padding="same"))
    assert count_operations(model) == 2 * (4 * 6 * 3) * 9


def test_loop_counts_every_time():
    height, width, features, filters = 5, 4, 6, 3
    model = model_of((height, width, features), RowLSTM(filters))
    gates = 4 * filters
    # Input-to-state: left neighbour and itself; the column to the right, which
    # the mask hides, is left out. State-to-state: three columns of the row
    # above.
    expected = 2 * height * width * gates * (2 * features + 3 * filters)
    assert count_operations(model) == expected


def test_attention_counts_projections_scores_and_means():
    height, width, size = 2, 4, 6
    model = model_of((height, width, size), CausalAttention(num_heads=2))
    tokens = height * width
    projections = 2 * tokens * size * (3 * size + size)
    # One block of all tokens: each is scored against all, then hidden.
    attention = 2 * 2 * tokens * tokens * size
    assert count_operations(model) == projections + attention


def test_einsum():
    class Product(keras.layers.Layer):
        def call(self, inputs):
            return ops.einsum("...ij,...kj->...ik", inputs, inputs)

    model = model_of((3, 4, 5), Product())
    assert count_operations(model) == 2 * 3 * 4 * 4 * 5


def test_choice_counts_the_longest_way():
    class Choice(keras.layers.Layer):
        def call(self, inputs):
            return ops.cond(
                ops.sum(inputs) > 0,
                lambda: ops.matmul(inputs, ops.ones((5, 5))),
                lambda: inputs,
            )

    assert count_operations(model_of((5,), Choice())) == 2 * 5 * 5


def test_loop_without_bound_is_refused():
    class Loop(keras.layers.Layer):
        def call(self, inputs):
            return ops.while_loop(
                lambda x: ops.max(x) > 1,
                lambda x: (ops.matmul(x, ops.ones((5, 5)) / 6),),
                (inputs,),
            )[0]

        def compute_output_shape(self, input_shape):
            return input_shape

    with pytest.raises(ValueError, match="number of iterations"):
        count_operations(model_of((5,), Loop()))


def test_whole_model():
    model = keras_pixel.PixelCNN(
        (4, 4, 3), num_levels=4, filters=6, num_blocks=1, head_filters=0
    )
    pixels = 4 * 4
    first = (4 * 7) * 3 * 12
    block = 12 * 6 + (2 * 3) * 6 * 6 + 6 * 12
    head = 12 * (3 * 4)
    assert count_operations(model) == 2 * pixels * (first + block + head)


def test_size_does_not_matter_to_the_policy():
    arguments = {"image_shape": (8, 8, 3), "filters": 6, "num_blocks": 1}
    counts = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            model = keras_pixel.WavefrontPixelCNN(**arguments)
        finally:
            keras.config.set_dtype_policy("float32")
        counts.append(count_operations(model))
    assert counts[0] == counts[1] > 0
