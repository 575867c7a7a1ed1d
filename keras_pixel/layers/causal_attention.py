import keras
from keras import ops

from keras_pixel.layers.attention import Attention


@keras.saving.register_keras_serializable(package="keras_pixel")
class CausalAttention(Attention):
    def build(self, input_shape):
        super().build(input_shape)
        # One block of all tokens.
        self.block, self.memory = self.rows * self.columns, 0

    def attend(self, projected):
        tokens = self.rows * self.columns
        shape = (-1, tokens, 3, self.num_heads, self.key_dim)
        parts = ops.unstack(ops.reshape(projected, shape), 3, axis=2)
        outputs = ops.dot_product_attention(*parts, scale=1.0, is_causal=True)
        shape = (-1, self.rows, self.columns, self.num_heads, self.key_dim)
        return ops.reshape(outputs, shape)
