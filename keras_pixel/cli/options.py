"""The arguments and options of the command line, shared by its commands."""

import enum
from typing import Annotated

import typer


class Format(enum.StrEnum):
    grid = "grid"
    files = "files"
    npy = "npy"


class Resize(enum.StrEnum):
    resize = "resize"
    center_crop = "center_crop"


class Values(enum.StrEnum):
    pixels = "pixels"
    levels = "levels"


class Side(enum.StrEnum):
    top = "top"
    bottom = "bottom"
    left = "left"
    right = "right"


class OutlierScore(enum.StrEnum):
    complexity = "complexity"
    likelihood = "likelihood"
    likelihood_ratio = "likelihood_ratio"
    typicality = "typicality"


class Engine(enum.StrEnum):
    local = "local"
    beam = "beam"
    ray = "ray"


class PrecisionChoice(enum.StrEnum):
    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"
    mixed_float16 = "mixed_float16"


def parse_shape(text: str) -> tuple[int, ...]:
    """`32x48x3` -> (32, 48, 3)."""
    try:
        height, width, channels = (int(part) for part in text.split("x"))
    except ValueError as error:
        raise typer.BadParameter(
            f"must be HEIGHTxWIDTHxCHANNELS, such as 32x32x3; received {text!r}"
        ) from error
    return height, width, channels


Preset = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A name of `keras-pixel list`, or a folder."
    ),
]
Images = Annotated[
    list[str],
    typer.Argument(metavar="IMAGES", help="Pictures, folders or .npy."),
]
Output = Annotated[
    str,
    typer.Option(
        "--output", "-o", help="x.png: a grid. x.npy: levels. x: a folder."
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an output that exists.")
]
OutputFormat = Annotated[
    Format | None,
    typer.Option(
        "--format", help="Instead of the format that the output's name implies."
    ),
]
Columns = Annotated[
    int | None, typer.Option(min=1, help="Images in a row of the grid.")
]
Seed = Annotated[int, typer.Option(help="Same seed, same images.")]
Temperature = Annotated[
    float,
    typer.Option(help="Below 1: more probable images; above 1: wilder ones."),
]
TopK = Annotated[
    int | None, typer.Option(min=1, help="Only the k most probable levels.")
]
TopP = Annotated[
    float | None,
    typer.Option(help="Only the most probable levels, up to this sum."),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Images at once.")]
Shape = Annotated[
    tuple | None,
    typer.Option(
        parser=parse_shape,
        metavar="HxWxC",
        help="Another size than the preset's.",
    ),
]
ResizeOption = Annotated[
    Resize | None,
    typer.Option("--resize", help="Bring pictures to the model's size."),
]
ValuesOption = Annotated[
    Values | None,
    typer.Option("--values", help="What .npy arrays hold."),
]
DataDir = Annotated[str | None, typer.Option(help="Folder of TFDS data sets.")]
Label = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        help="Class, by number from 0 or by name. More than one: in turn.",
    ),
]
OneLabel = Annotated[
    str | None,
    typer.Option(
        "--label", help="Class of all images, by number from 0 or by name."
    ),
]
Condition = Annotated[
    str | None,
    typer.Option(
        "--condition",
        metavar="FILE",
        help=".npy with the context of all images, or of each.",
    ),
]
Order = Annotated[
    str | None,
    typer.Option(help="Order of the pixels, of a model that knows several."),
]
GuidanceScale = Annotated[
    float | None,
    typer.Option(help="Above 1: exaggerate what the label changes."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Count = Annotated[
    int, typer.Option("--count", "-n", min=1, help="How many images.")
]
CountOfEach = Annotated[
    int, typer.Option("--count", "-n", min=1, help="Completions of an image.")
]
Particles = Annotated[
    int | None,
    typer.Option(
        min=1, help="Draw this many at once, to fit all known pixels."
    ),
]
BeamWidth = Annotated[
    int | None,
    typer.Option(min=1, help="Search for the most probable ones instead."),
]
FirstOnly = Annotated[
    int | None,
    typer.Option("--count", "-n", min=1, help="Only the first n images."),
]
Keep = Annotated[Side, typer.Option(help="The known side.")]
Fraction = Annotated[
    float, typer.Option(min=0, max=1, help="The known fraction of the image.")
]
Mask = Annotated[
    str | None,
    typer.Option(help="Picture or .npy instead: white or True is known."),
]
ScoresOutput = Annotated[
    str | None, typer.Option("--output", "-o", help="x.csv or x.json.")
]
Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="TFDS name, folder, .npy or .npz. [the model's own data set]",
    ),
]
Split = Annotated[str, typer.Option(help="train, validation, test or all.")]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch the data set if needed.")
]
Recipe = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="JSON file of the training."),
]
RunFolder = Annotated[
    str | None, typer.Option("--output", "-o", help="Folder of the training.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Print what it would cost; train nothing."),
]
Resume = Annotated[bool, typer.Option(help="Resume a training found there.")]
TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write TensorBoard events, too.")
]
Devices = Annotated[
    str | None,
    typer.Option(
        help='How many devices share each batch, or "all"; needs JAX.'
    ),
]
Coordinator = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Address of the first of several processes that train together.",
    ),
]
NumProcesses = Annotated[
    int | None,
    typer.Option(help="How many processes train together."),
]
ProcessId = Annotated[
    int | None,
    typer.Option(help="Which of them this one is, from 0."),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Report no progress.")
]
FinetuneData = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="A folder of pictures, .npy, .npz, or TFDS name."
    ),
]
FinetuneFolder = Annotated[
    str,
    typer.Option("--output", "-o", help="Folder of the training."),
]
NumLevels = Annotated[
    int | None,
    typer.Option(min=2, max=256, help="Other levels than the preset's."),
]
WithLabels = Annotated[
    bool,
    typer.Option("--labels", help="Tell the model the class of each image."),
]
Epochs = Annotated[
    int, typer.Option(min=1, help="Passes over the images, at most.")
]
LearningRate = Annotated[
    float | None, typer.Option(help="Instead of a fifth of the preset's own.")
]
Freeze = Annotated[
    list[str] | None,
    typer.Option(help="Layers kept as they are, such as 'block_*'."),
]
LoraRank = Annotated[
    int | None,
    typer.Option(min=1, help="Train products of this rank, not kernels."),
]
Flip = Annotated[bool, typer.Option("--flip", help="Mirror half of them.")]
Patience = Annotated[
    int,
    typer.Option(min=1, help="Epochs without improvement until it ends."),
]
Precision = Annotated[
    PrecisionChoice, typer.Option(help="Of the arithmetic in training.")
]
