"""The command `export`."""

import enum
from typing import Annotated
from typing import Any

import typer

from keras_pixel import files
from keras_pixel.cli import options
from keras_pixel.cli import output


class ExportFormat(enum.StrEnum):
    saved_model = "saved_model"
    onnx = "onnx"
    tf_serving = "tf_serving"
    triton = "triton"


class Precision(enum.StrEnum):
    float32 = "float32"
    float16 = "float16"


def export(
    model: options.Preset,
    to: Annotated[
        str, typer.Option("--to", metavar="DIR", help="Folder to write.")
    ],
    export_format: Annotated[
        ExportFormat, typer.Option("--format", help="What runs it.")
    ] = ExportFormat.saved_model,
    xla: Annotated[
        bool,
        typer.Option(
            "--xla", help="Compile the sampler with XLA. Not for ONNX."
        ),
    ] = False,
    with_pictures: Annotated[
        bool,
        typer.Option("--pictures", help="Take PNG and JPEG files, too."),
    ] = False,
    resize: options.ResizeOption = None,
    version: Annotated[
        int | None,
        typer.Option(
            min=1, help="For tf_serving, triton. [one more than the last]"
        ),
    ] = None,
    step_batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="For onnx: batch of step.onnx. [16]"),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(help="Of weights and hidden layers, for onnx, triton."),
    ] = Precision.float32,
    image_shape: options.Shape = None,
) -> None:
    """Write a model for use without this package, and check it."""
    _check(
        export_format,
        {
            "--xla": xla,
            "--pictures": with_pictures,
            "--resize": resize,
            "--version": version,
            "--step-batch-size": step_batch_size,
            "--precision": precision is not Precision.float32,
        },
    )
    of_pictures = {"pictures": with_pictures, "resize": resize}
    if export_format in (ExportFormat.tf_serving, ExportFormat.triton):
        files.local_path(to)
    else:
        files.check_new_folder(to)
    output.start_keras()
    from keras_pixel import export as exporters
    from keras_pixel import presets

    loaded = presets.load(model, image_shape=image_shape)
    if export_format is ExportFormat.saved_model:
        written = exporters.saved_model(loaded, to, xla=xla, **of_pictures)
    elif export_format is ExportFormat.onnx:
        written = exporters.onnx(
            loaded,
            to,
            step_batch_size=step_batch_size or 16,
            precision=precision.value,
        )
    elif export_format is ExportFormat.triton:
        exporters.triton(loaded, to, version=version, precision=precision.value)
        written = to
    else:
        (written,) = exporters.tf_serving(
            loaded, to, version=version, xla=xla, **of_pictures
        ).values()
    same = "gives the same results as Keras"
    if precision is not Precision.float32:
        same += f", up to the rounding of {precision.value}"
    print(f"{written}: {same}")


def _check(export_format: ExportFormat, given: dict[str, Any]) -> None:
    formats = {
        "--xla": ("saved_model", "tf_serving"),
        "--pictures": ("saved_model", "tf_serving"),
        "--resize": ("saved_model", "tf_serving"),
        "--version": ("tf_serving", "triton"),
        "--step-batch-size": ("onnx",),
        "--precision": ("onnx", "triton"),
    }
    for option, value in given.items():
        if value and export_format not in formats[option]:
            raise ValueError(
                f"`{option}` applies to --format "
                f"{' or '.join(formats[option])} only. "
                f"Received: --format {export_format.value}. Leave it out."
            )
