"""Image Transformer: masked self-attention over the sequence of sub-pixels."""

import keras

from keras_pixel.layers import CategoricalHead
from keras_pixel.layers import CausalAttention
from keras_pixel.layers import EmbedLevels
from keras_pixel.layers import LocalAttention1D
from keras_pixel.layers import LocalAttention2D
from keras_pixel.layers import MaskedConv2D
from keras_pixel.layers import PerSubPixel
from keras_pixel.layers import PositionalEncoding2D
from keras_pixel.layers import ScaleLevels
from keras_pixel.layers import ShiftRight
from keras_pixel.models.arguments import check_image_arguments
from keras_pixel.models.pixel_model import PixelModel


@keras.saving.register_keras_serializable(package="keras_pixel")
class ImageTransformer(PixelModel):
    def __init__(
        self,
        image_shape=(32, 32, 3),
        num_levels=256,
        attention="local_1d",
        num_layers=12,
        hidden_dim=512,
        num_heads=4,
        intermediate_dim=2048,
        query_shape=None,
        memory_flange=None,
        positional_encoding="sinusoidal",
        dropout=0.0,
        first_kernel_size=None,
        num_frequencies=0,
        head_rank=None,
        activation="relu",
        **kwargs,
    ):
        image_shape = check_image_arguments(image_shape, num_levels)
        channels = image_shape[-1]

        def per_sub_pixel(layers, name):
            return PerSubPixel(layers, channels=channels, name=name)

        def normalise(x, name):
            norm = keras.layers.LayerNormalization(epsilon=1e-6)
            return per_sub_pixel(norm, name)(x)

        def attend(x, name):
            options = {"channels": channels, "name": name}
            if attention == "full":
                return CausalAttention(num_heads, **options)(x)
            if attention == "local_1d":
                return LocalAttention1D(
                    num_heads, query_shape[1], memory_flange[1], **options
                )(x)
            return LocalAttention2D(
                num_heads, query_shape, memory_flange, **options
            )(x)

        def add(x, change, name):
            if dropout:
                change = keras.layers.Dropout(
                    dropout, name=f"{name}_dropout"
                )(change)
            return keras.layers.Add(name=f"{name}_add")([x, change])

        # === Functional Model ===
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        if first_kernel_size is None:
            x = EmbedLevels(
                num_levels, hidden_dim, channels=channels, name="embed_levels"
            )(inputs)
            x = ShiftRight(channels=channels, name="shift_right")(x)
        else:
            x = ScaleLevels(num_levels, num_frequencies, name="scale_levels")(
                inputs
            )
            x = MaskedConv2D(
                channels * hidden_dim,
                first_kernel_size,
                mask_type="A",
                channels=channels,
                name="first",
            )(x)
        if positional_encoding is not None:
            x = PositionalEncoding2D(
                channels=channels, kind=positional_encoding, name="positions"
            )(x)
        for i in range(num_layers):
            block = f"block_{i + 1}"
            change = normalise(x, f"{block}_attention_norm")
            change = attend(change, f"{block}_attention")
            x = add(x, change, f"{block}_attention")
            change = normalise(x, f"{block}_feed_forward_norm")
            change = per_sub_pixel(
                [
                    keras.layers.Dense(intermediate_dim, activation),
                    keras.layers.Dense(hidden_dim),
                ],
                f"{block}_feed_forward",
            )(change)
            x = add(x, change, f"{block}_feed_forward")
            # (batch, height, width, channels * hidden_dim)
        x = normalise(x, "last_norm")
        outputs = CategoricalHead(
            num_levels, channels=channels, rank=head_rank, name="head"
        )(x)
        super().__init__(inputs, outputs, num_levels=num_levels, **kwargs)

        # === Config ===
        self.attention = attention
        self.num_layers = num_layers
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.query_shape = query_shape
        self.memory_flange = memory_flange
        self.positional_encoding = positional_encoding
        self.dropout = dropout
        self.first_kernel_size = first_kernel_size
        self.num_frequencies = num_frequencies
        self.head_rank = head_rank
        self.activation = activation

    def get_config(self):
        return {
            "name": self.name,
            "image_shape": self.image_shape,
            "num_levels": self.num_levels,
            "attention": self.attention,
            "num_layers": self.num_layers,
            "hidden_dim": self.hidden_dim,
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "query_shape": self.query_shape,
            "memory_flange": self.memory_flange,
            "positional_encoding": self.positional_encoding,
            "dropout": self.dropout,
            "first_kernel_size": self.first_kernel_size,
            "num_frequencies": self.num_frequencies,
            "head_rank": self.head_rank,
            "activation": self.activation,
        }
