"""Drawing further towards a label than the model itself would.

The logits of the levels with the label are moved on from those without it:
`without + scale * (with - without)`. 0 is the model without the label, 1 the
model itself, more than 1 exaggerates what the label changes.

Source: Ho and Salimans, 2021, "Classifier-Free Diffusion Guidance",
https://arxiv.org/abs/2207.12598, equation 6, with `scale = 1 + w`.
"""

from keras import ops

from keras_pixel.distributions import Categorical
from keras_pixel.sampling.loop import OPTIONS
from keras_pixel.sampling.loop import Drawing


def guided_logits(distribution, parameters, without, scale):
    """Logits of all levels, moved on from those without a condition.

    Args:
        distribution: `PixelDistribution`.
        parameters: tensor `(…, num_parameters)`, with the condition.
        without: likewise, without it.
        scale: float32 tensor of the shape of the leading axes, or one that
            broadcasts to them.

    Returns:
        float32 tensor `(…, num_levels)`.
    """
    without = distribution.level_log_probs(without)
    change = distribution.level_log_probs(parameters) - without
    return without + scale[..., None] * change


class GuidedDrawing(Drawing):
    """Draws images with and without the condition side by side.

    Inputs beside those of `Drawing`: `conditions`, `unconditional` (the same
    list, without the label) and `guidance_scale`, float32 `(batch,)`.
    """

    # An image and its twin have their places side by side in every lane.
    fills_lanes = False

    def size(self, inputs):
        count, image_shape = super().size(inputs)
        return 2 * count, image_shape

    def conditions(self, inputs):
        return [
            ops.concatenate(pair)
            for pair in zip(
                inputs["conditions"], inputs["unconditional"], strict=True
            )
        ]

    def init_state(self, schedule, inputs):
        self.options = {n: inputs[n] for n in OPTIONS if n in inputs}
        self.scale = inputs["guidance_scale"]
        return ()

    def choose(self, step, given, channel, parameters, state):
        parameters, without = ops.split(step.by_lane(parameters), 2, axis=1)
        logits = guided_logits(
            self.distribution, parameters, without, self.scale
        )  # (lanes, batch, levels)
        noise = given["noise"][..., channel]  # (lanes, batch)
        levels = Categorical(self.distribution.num_levels).sample_from_noise(
            logits, noise, **self.options
        )
        levels = self.kept(given, channel, levels)
        both = ops.concatenate([levels, levels], axis=1)
        return ops.reshape(both, (-1,)), None, state

    def result(self, images, state):
        return ops.split(images, 2)[0]
