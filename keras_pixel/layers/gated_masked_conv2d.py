import keras
from keras import ops

from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
from keras_pixel.checks import odd_pair
from keras_pixel.layers.base import Available
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import channel_major
from keras_pixel.layers.buffers import convolve_rows
from keras_pixel.layers.buffers import known_groups
from keras_pixel.layers.buffers import read_at
from keras_pixel.layers.buffers import write_at
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer
from keras_pixel.layers.masked_conv2d import MaskedConv2D


@keras.saving.register_keras_serializable(package="keras_pixel")
class GatedMaskedConv2D(LoraLayer, CausalLayer):
    """Gated convolution of two stacks that together see the whole past.

    The vertical stack sees the rows above, to the full width of its kernel;
    the horizontal stack sees the pixels to the left and, through a 1×1
    convolution, the vertical stack. So there is no blind spot. Both end in
    the gate `tanh(a) * sigmoid(b)`.

    The vertical stack is kept shifted down by one row: its features at a
    pixel depend on the rows above that pixel only. So any mix of it may be
    shown to the horizontal stack, and it needs no order of channels.

    Source: van den Oord et al., 2016, "Conditional Image Generation with
    PixelCNN Decoders", sections 2.2 and 2.3, figure 2,
    https://arxiv.org/abs/1606.05328.
    Differs from it: the shift is made once, by the first layer, instead of
    at each step from the vertical to the horizontal stack; what a pixel can
    see is the same.

    Args:
        filters: int. Features of each stack (`p` of the paper). Must be
            divisible by `channels`.
        kernel_size: odd int or pair of odd ints (`n` of the paper).
        mask_type: "A" for the first layer, whose inputs are twice the image
            and which has no residual connection; "B" after it.
        channels: int. Channel groups to keep in order. Defaults to `1`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: list of two float tensors, the vertical and the horizontal
            stack; and, if a condition is known, a third that is added to the
            inputs of the gates, one half to those of each stack (`Vᵀh` of the
            paper, section 2.3, and the map `V * s`).

    Input shape:
        Two of `(batch, height, width, in_features)`; with mask "B"
        `in_features` of the horizontal stack is `filters`. The third
        `(batch, height, width, 4 * filters)`, or `(batch, 1, 1, 4 *
        filters)`.

    Output shape:
        Two of `(batch, height, width, filters)`.

    Raises:
        ValueError: if `filters` is not divisible by `channels`,
            `kernel_size` is even, or the inputs don't fit.

    Example:

    >>> import numpy as np
    >>> first = GatedMaskedConv2D(12, 7, mask_type="A", channels=3)
    >>> image = np.zeros((2, 8, 8, 3), "float32")
    >>> vertical, horizontal = first([image, image])
    >>> tuple(horizontal.shape)
    (2, 8, 8, 12)
    """

    vertical_kernel = LoraKernel()
    link_kernel = LoraKernel()

    def __init__(
        self, filters, kernel_size, mask_type="B", channels=1, **kwargs
    ):
        super().__init__(channels=channels, **kwargs)
        filters = check_size("filters", filters)
        check_divisible("filters", filters, channels)
        self.filters = filters
        self.kernel_size = odd_pair("kernel_size", kernel_size)
        if mask_type == "A" and self.kernel_size[0] == 1:
            raise ValueError(
                'With mask_type "A" the kernel must be at least 3 high, or '
                "the vertical stack sees nothing. "
                f"Received: kernel_size={kernel_size}"
            )
        self.mask_type = mask_type
        self.horizontal = MaskedConv2D(
            2 * filters,
            (1, self.kernel_size[1]),
            mask_type=mask_type,
            channels=channels,
            use_bias=False,
            dtype=self.dtype_policy,
            name="horizontal",
        )
        self.output_convolution = MaskedConv2D(
            filters,
            1,
            channels=channels,
            dtype=self.dtype_policy,
            name="output_convolution",
        )

    def build(self, input_shape):
        vertical, horizontal, *condition = input_shape
        if condition and condition[0][-1] != 4 * self.filters:
            raise ValueError(
                "The third input, for the gates of both stacks, must have `4 * "
                f"filters` features. Received: {condition[0][-1]} features, "
                f"filters={self.filters}. Use {4 * self.filters}."
            )
        if self.mask_type == "B" and horizontal[-1] != self.filters:
            raise ValueError(
                'With mask_type "B" the horizontal stack must have `filters` '
                "features, for the residual connection. "
                f"Received: {horizontal[-1]} features, filters={self.filters}"
            )
        # Mask A sees finished rows only. With mask B the input is shifted
        # already, so its own row is seen too.
        rows = self.kernel_size[0] // 2 + (self.mask_type == "B")
        self.vertical_kernel = self.add_weight(
            name="vertical_kernel",
            shape=(rows, self.kernel_size[1], vertical[-1], 2 * self.filters),
        )
        self.vertical_bias = self.add_weight(
            name="vertical_bias", shape=(2 * self.filters,), initializer="zeros"
        )
        self.link_kernel = self.add_weight(
            name="link_kernel", shape=(2 * self.filters, 2 * self.filters)
        )
        self.link_bias = self.add_weight(
            name="link_bias", shape=(2 * self.filters,), initializer="zeros"
        )
        self.horizontal.build(horizontal)
        self.output_convolution.build((*horizontal[:-1], self.filters))

    def call(self, inputs):
        vertical, horizontal, *condition = inputs
        rows, side = self.kernel_size[0] // 2, self.kernel_size[1] // 2
        if self.mask_type == "A":
            vertical_rows = vertical[:, :-1]
        else:
            vertical_rows = vertical
        padded = ops.pad(
            vertical_rows, [[0, 0], [rows, 0], [side, side], [0, 0]]
        )
        seen = ops.conv(padded, self.vertical_kernel, padding="valid")
        seen = seen + self.vertical_bias  # (batch, height, width, 2 * filters)
        if condition:
            above, beside = ops.split(condition[0], 2, axis=-1)
            seen = seen + above
        link = ops.matmul(seen, self.link_kernel) + self.link_bias
        if condition:
            link = link + beside
        gated = _gate(self.horizontal(horizontal) + link)
        outputs = self.output_convolution(gated)
        if self.mask_type == "B":
            # Not with mask A: it would show a value to itself.
            outputs = outputs + horizontal
        return [_gate(seen), outputs]  # (batch, height, width, filters)

    # === Cached decoding ===

    @property
    def sees_pixel(self):
        return self.mask_type == "B"

    @property
    def least_lag(self):
        # The vertical stack sees finished rows to their full width.
        return None

    def available_at(self, inputs):
        if self.mask_type == "B" and inputs[0] > Available.ROW:
            raise ValueError(
                'With mask_type "B" the vertical stack must come from a '
                'layer with mask_type "A" (shifted down). '
                f'Received: {type(self).__name__} (name="{self.name}") after '
                "another tensor."
            )
        return [Available.ROW, *super().available_at(inputs[1:])]

    def init_cache(self, grid):
        batch_size, width = grid.batch_size, grid.width
        weights, state = {}, {}
        for part in (self.horizontal, self.output_convolution):
            weights[part.name], state[part.name] = part.init_cache(grid)
        dtype = self.compute_dtype
        weights["vertical_bias"] = ops.cast(self.vertical_bias, dtype)
        kernel = ops.cast(self.vertical_kernel, dtype)
        if self.mask_type == "A":  # reads pixels, channel by channel
            kernel = channel_major(kernel, self.channels, axes=(2,))
        weights["vertical_kernel"] = kernel
        for name in ("link_kernel", "link_bias"):
            weights[name] = channel_major(
                ops.cast(getattr(self, name), dtype), self.channels, axes=(-1,)
            )
        columns = width + 2 * (self.kernel_size[1] // 2)
        row = ops.zeros((columns, batch_size, kernel.shape[2]), dtype)
        state["rows"] = (row,) * (self.kernel_size[0] // 2 + 1)
        state["link"] = ops.zeros((width, batch_size, 2 * self.filters), dtype)
        state["gated"] = ()
        return weights, state

    def start_row(self, weights, state, rows):
        side = self.kernel_size[1] // 2
        # Mask A: the last row was filled pixel by pixel and is now finished.
        finished = state["rows"][1:]
        if self.mask_type == "A":
            below = ops.zeros_like(finished[0])
            kept = (*finished, below)
        else:
            row = ops.pad(rows[0], [[side, side], [0, 0], [0, 0]])
            kept = finished = (*finished, row)
        seen = convolve_rows(finished, weights["vertical_kernel"])
        seen = seen + weights["vertical_bias"]  # (width, batch, 2 * filters)
        if len(rows) > 2:
            seen = seen + rows[2][..., : 2 * self.filters]
        flat = ops.reshape(seen, (-1, seen.shape[-1]))
        link = ops.matmul(flat, weights["link_kernel"]) + weights["link_bias"]
        link = ops.reshape(link, (seen.shape[0], -1, link.shape[-1]))
        return [_gate(seen), None], {**state, "rows": kept, "link": link}

    def decode_step(self, weights, state, step, group, inputs):
        _, horizontal, *condition = inputs
        parts = {}
        (outputs,), parts["horizontal"] = self.horizontal.decode_step(
            weights["horizontal"],
            state["horizontal"],
            step,
            group,
            [horizontal],
        )
        size = 2 * self.filters // self.channels
        link = read_at(state["link"], step.raster_column)
        outputs = outputs + link[:, group * size : (group + 1) * size]
        if condition:
            outputs = outputs + condition[0][group][:, size:]
        gated = (*state["gated"], _gate(outputs))
        name = "output_convolution"
        (outputs,), parts[name] = self.output_convolution.decode_step(
            weights[name], state[name], step, group, [gated]
        )
        if self.mask_type == "B":
            outputs = outputs + horizontal[group]
        # Groups of this pixel are gathered until `finish_pixel`.
        return [None, outputs], {**state, **parts, "gated": gated}

    def finish_pixel(self, weights, state, step, inputs):
        vertical, horizontal, *_ = inputs
        new = {**state, "gated": ()}
        for part, given in (
            (self.horizontal, horizontal),
            (self.output_convolution, state["gated"]),
        ):
            new[part.name] = part.finish_pixel(
                weights[part.name], state[part.name], step, [given]
            )
        if self.mask_type == "A":
            pixel = known_groups(self, vertical, self.channels)
            side = self.kernel_size[1] // 2
            column = step.raster_column + side
            row = write_at(state["rows"][-1], column, pixel)
            new["rows"] = (*state["rows"][:-1], row)
        return new

    def compute_output_shape(self, input_shape):
        shape = (*input_shape[0][:-1], self.filters)
        return [shape, shape]

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "mask_type": self.mask_type,
        }


def _gate(features):
    # Split, not sliced: a slice's gradient fills an array of zeros.
    change, gate = ops.split(features, 2, axis=-1)
    return ops.tanh(change) * ops.sigmoid(gate)
