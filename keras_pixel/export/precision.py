"""Models in another precision than the one they were trained in."""

import dataclasses

from keras_pixel.checks import check_choice


@dataclasses.dataclass(frozen=True)
class Tolerances:
    """How far what was exported may be from Keras in float32.

    Attributes:
        scores, logits: relative to the largest.
        tie: a level may differ where the cumulative probability lies this
            close to the noise: one float rounds the other way there.
        levels: share of the levels, rounded down, by which a level may be off
            anyway. A narrow logistic moves by a level of 256 when its mean is
            rounded.
    """

    scores: float = 1e-5
    logits: float = 1e-4
    tie: float = 1e-5
    levels: float = 0.0


TOLERANCES = {
    "float32": Tolerances(),
    "float16": Tolerances(scores=5e-3, logits=2e-2, tie=2e-2, levels=1 / 128),
}


def in_precision(model, precision):
    """A model whose hidden layers compute in a precision.

    Its head, probabilities and log-probabilities stay in float32: a sum over
    3,072 sub-pixels leaves the range of float16.

    Args:
        model: `PixelModel`.
        precision: "float32", the model as it is; or "float16", a copy with
            the same weights, rounded.

    Returns:
        `PixelModel`.

    Raises:
        NotImplementedError: if no copy in float16 can be made.
    """
    if check_choice("precision", precision, TOLERANCES) == "float32":
        return model
    config = model.get_config()
    reason = None
    if "graph" in config:
        reason = "a graph of one's own, whose layers have dtypes already"
    elif any(
        getattr(x, "lora_enabled", False) for x in model._flatten_layers()
    ):
        reason = "a model with LoRA; save and load it as a preset: that merges"
    elif not model.feature_layers:
        reason = "a baseline, whose parameters are computed in float32"
    if reason is not None:
        raise NotImplementedError(
            "Only models of trained layers are exported in float16. "
            f"Received: {model.name}, {reason}. Leave out `precision`."
        )
    copy = type(model).from_config({**config, "dtype": "mixed_float16"})
    copy.set_weights(model.get_weights())
    largest = max(float(abs(x).max(initial=0)) for x in copy.get_weights())
    # The largest float16.
    if not largest <= 65504:
        raise NotImplementedError(
            "Weights must lie in the range of float16. "
            f"Received: {model.name} with a weight of {largest:.3g}. Leave out "
            "`precision`."
        )
    return copy
