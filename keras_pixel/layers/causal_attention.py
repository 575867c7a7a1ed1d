import keras
from keras import ops

from keras_pixel import order
from keras_pixel.layers.attention import Attention


@keras.saving.register_keras_serializable(package="keras_pixel")
class CausalAttention(Attention):
    """Every token attends to itself and to all tokens before it.

    A token is a sub-pixel; tokens come in raster order, channels in order
    inside a pixel. A token sees itself, so the sequence must have been moved
    on before: by `ShiftRight`, or by a convolution with mask type "A".

    Time and memory grow with the square of the number of tokens. Keras'
    `dot_product_attention` is used, with flash attention where the backend
    and the machine have it. Sampling keeps the keys and values of all tokens.

    Source: Chen et al., 2020, "Generative Pretraining from Pixels" (image
    GPT), section 2.2, which has the attention of Vaswani et al., 2017,
    https://arxiv.org/abs/1706.03762, section 3.2.
    Differs from it: no biases in the projections.

    Args:
        num_heads: int. Divides `hidden_dim`.
        channels: int. Channels of a pixel; features are tokens of them, see
            `keras_pixel.layers.tokens`. Defaults to `1`.
        lag: int or `None`. Of the other pixels a token sees only what a
            wavefront of this lag has drawn before: those with an earlier time
            `column + lag * row` (`keras_pixel.order.is_past`). Defaults to
            `None`: all before it in raster order.
        kernel_initializer: Initializer of the projections. Defaults to
            `"lecun_normal"`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features.

    Input shape:
        `(batch, height, width, channels * hidden_dim)`

    Output shape:
        That of the inputs.

    Raises:
        ValueError: if an argument is out of range, the features don't split
            into `channels`, the tokens don't split into `num_heads`, or
            height or width is unknown.

    Example:

    >>> import numpy as np
    >>> layer = CausalAttention(num_heads=2, channels=3)
    >>> tuple(layer(np.zeros((2, 4, 4, 24), "float32")).shape)
    (2, 4, 4, 24)
    """

    def build(self, input_shape):
        super().build(input_shape)
        # One block of all tokens.
        self.block, self.memory = self.rows * self.columns, 0

    def attend(self, projected):
        tokens = self.rows * self.columns
        shape = (-1, tokens, 3, self.num_heads, self.key_dim)
        parts = ops.unstack(ops.reshape(projected, shape), 3, axis=2)
        if self.lag is None:
            seen = {"is_causal": True}
        else:
            image_shape = (
                self.rows,
                self.columns // self.channels,
                self.channels,
            )
            mask = order.attention_mask(image_shape, self.lag)
            # (batch, num_heads, tokens that see, tokens that are seen)
            seen = {"mask": ops.convert_to_tensor(mask[None, None])}
        outputs = ops.dot_product_attention(*parts, scale=1.0, **seen)
        shape = (-1, self.rows, self.columns, self.num_heads, self.key_dim)
        return ops.reshape(outputs, shape)
