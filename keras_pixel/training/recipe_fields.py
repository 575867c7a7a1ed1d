"""The objects within a recipe, as Pydantic checks them.

Each stays a dict with the keys that were written: what is left out is left to
the class or the function that the keys are arguments of.
"""

from typing import Annotated
from typing import Any
from typing import Literal
from typing import Required

import pydantic
from typing_extensions import TypedDict

from keras_pixel import schemas
from keras_pixel.data.splits import check_split_size

WeightDecay = Annotated[
    schemas.NonNegative | None, schemas.way_out("Use null for no decay.")
]
# Pydantic looks at neither: the model's class and `load_data` check them.
ImageShape = Annotated[
    Any,
    pydantic.WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 1},
            "minItems": 3,
            "maxItems": 3,
        }
    ),
]
NumLevels = Annotated[
    Any,
    pydantic.WithJsonSchema({"type": "integer", "minimum": 2, "maximum": 256}),
]
Source = Annotated[Any, pydantic.WithJsonSchema({"type": "string"})]


def _split_size(size: Any, info: pydantic.ValidationInfo) -> Any:
    check_split_size(f"data.{info.field_name}", size)
    return size


SplitSize = Annotated[
    Any,
    pydantic.AfterValidator(_split_size),
    pydantic.WithJsonSchema({"type": ["number", "null"], "minimum": 0}),
]


@pydantic.with_config(pydantic.ConfigDict(extra="allow"))
class ModelConfig(TypedDict):
    """Arguments of the model's class.

    Args:
        image_shape: (height, width, channels).
        num_levels: Levels of a sub-pixel.
    """

    image_shape: ImageShape
    num_levels: NumLevels


@pydantic.with_config(schemas.STRICT)
class Model(TypedDict):
    """The model's class and its arguments.

    Args:
        class_name: "PixelCNN", or "package>Name" of a registered class of
            your own.
        config: Arguments of the class.
    """

    class_name: str
    config: ModelConfig


@pydantic.with_config(schemas.STRICT)
class Data(TypedDict, total=False):
    """Arguments of `keras_pixel.data.load_data`, and `flip`.

    Args:
        source: A TFDS name, a folder of pictures, an .npy or .npz file. A
            relative path is looked for beside the recipe first, then in the
            working directory.
        flip: Whether half of the training images are mirrored.
        resize: What to do with images of another size; null refuses them.
        values: Whether the values are 0 to 255 or levels already.
        labels: Whether labels are wanted.
        validation: Number, or fraction, of the training images to validate
            on where the source brings none.
        test: The same for the test split.
        seed: Draws these parts.
        on_error: What to do with a file that cannot be read.
        stream: Whether images stay in their files until a batch needs them.
    """

    source: Required[Source]
    flip: bool
    resize: Literal["resize", "center_crop"] | None
    values: Literal["pixels", "levels"] | None
    labels: bool
    validation: SplitSize
    test: SplitSize
    seed: schemas.CountOrZero
    on_error: Literal["raise", "skip"]
    stream: bool


@pydantic.with_config(schemas.STRICT)
class Schedule(TypedDict, total=False):
    """The learning rate over the training.

    Args:
        warmup_steps: Steps of the linear warm-up.
        decay: How the learning rate falls after it.
        final_fraction: Part of the learning rate left at the end.
    """

    warmup_steps: schemas.CountOrZero
    decay: Literal["constant", "linear", "cosine", "exponential"]
    final_fraction: schemas.Fraction


# The optimizers of Keras that a recipe may name. What other fields decide
# (clipping, averaging, accumulation) is no argument of theirs here.


@pydantic.with_config(schemas.STRICT)
class Adam(TypedDict, total=False):
    """`keras.optimizers.Adam`."""

    name: Required[Literal["adam"]]
    learning_rate: Required[schemas.NonNegative]
    beta_1: schemas.Probability
    beta_2: schemas.Probability
    epsilon: schemas.Positive
    amsgrad: bool
    weight_decay: WeightDecay


@pydantic.with_config(schemas.STRICT)
class Adamax(TypedDict, total=False):
    """`keras.optimizers.Adamax`."""

    name: Required[Literal["adamax"]]
    learning_rate: Required[schemas.NonNegative]
    beta_1: schemas.Probability
    beta_2: schemas.Probability
    epsilon: schemas.Positive
    weight_decay: WeightDecay


@pydantic.with_config(schemas.STRICT)
class AdamW(TypedDict, total=False):
    """`keras.optimizers.AdamW`."""

    name: Required[Literal["adamw"]]
    learning_rate: Required[schemas.NonNegative]
    beta_1: schemas.Probability
    beta_2: schemas.Probability
    epsilon: schemas.Positive
    amsgrad: bool
    weight_decay: WeightDecay


@pydantic.with_config(schemas.STRICT)
class Lion(TypedDict, total=False):
    """`keras.optimizers.Lion`."""

    name: Required[Literal["lion"]]
    learning_rate: Required[schemas.NonNegative]
    beta_1: schemas.Probability
    beta_2: schemas.Probability
    weight_decay: WeightDecay


@pydantic.with_config(schemas.STRICT)
class Nadam(TypedDict, total=False):
    """`keras.optimizers.Nadam`."""

    name: Required[Literal["nadam"]]
    learning_rate: Required[schemas.NonNegative]
    beta_1: schemas.Probability
    beta_2: schemas.Probability
    epsilon: schemas.Positive
    weight_decay: WeightDecay


@pydantic.with_config(schemas.STRICT)
class RMSprop(TypedDict, total=False):
    """`keras.optimizers.RMSprop`."""

    name: Required[Literal["rmsprop"]]
    learning_rate: Required[schemas.NonNegative]
    rho: schemas.Probability
    momentum: schemas.Probability
    epsilon: schemas.Positive
    centered: bool
    weight_decay: WeightDecay


@pydantic.with_config(schemas.STRICT)
class SGD(TypedDict, total=False):
    """`keras.optimizers.SGD`."""

    name: Required[Literal["sgd"]]
    learning_rate: Required[schemas.NonNegative]
    momentum: schemas.Probability
    nesterov: bool
    weight_decay: WeightDecay


Optimizer = Annotated[
    Adam | Adamax | AdamW | Lion | Nadam | RMSprop | SGD,
    pydantic.Field(discriminator="name"),
]
