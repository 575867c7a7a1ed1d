"""The commands `compress` and `decompress`."""

import pathlib
import sys
from collections.abc import Iterator
from typing import Annotated
from typing import Any

import numpy as np
import typer

from keras_pixel import files
from keras_pixel.cli import conditions
from keras_pixel.cli import options
from keras_pixel.cli import output as terminal
from keras_pixel.cli import paths

# Of 8 bits or less, and without more than a picture's pixels.
_MODES = ("1", "L", "RGB")


def compress(
    model: options.Preset,
    images: options.Images,
    output: Annotated[
        str, typer.Option("--output", "-o", help="The file, such as x.kpix.")
    ],
    overwrite: options.Overwrite = False,
    label: options.OneLabel = None,
    order: options.Order = None,
    batch_size: options.BatchSize = 256,
    image_shape: options.Shape = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Measure PNG and WebP, too.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read it again, and compare.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Write images of any size into one file, losslessly."""
    paths.check_path(output)
    paths.check_output(output, [model, *images], overwrite)
    loaded = terminal.load(model, image_shape)
    from keras_pixel import tasks

    items, jpegs = _read(images, loaded)
    with terminal.progress("Compressing", 1) as done:
        result = tasks.compress(
            loaded,
            items,
            output,
            labels=conditions.label(label),
            order=order,
            batch_size=batch_size,
            compare=compare,
            verify=verify,
            progress=done,
        )
    if as_json:
        terminal.print_json(result.to_dict())
    else:
        print(result.table(), end="")
        print(f"{result.num_images:,} images in {output}")
    if jpegs:
        print(
            f"{len(jpegs)} of the pictures are JPEGs, such as {jpegs[0]!r}. "
            "What is kept are their pixels, exactly, which takes more bytes "
            "than the JPEG: keep JPEGs as they are.",
            file=sys.stderr,
        )


def decompress(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Written by `compress`.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", help="New folder of the images.")
    ],
    model: Annotated[
        str | None,
        typer.Option(help="Name or folder. [the name that the file has]"),
    ] = None,
    any_version: Annotated[
        bool, typer.Option("--any-version", help="Try with other versions.")
    ] = False,
) -> None:
    """Write the images of a compressed file: PNG files, and .npy arrays."""
    files.check_new_folder(output)
    terminal.start_keras()
    from keras_pixel import tasks

    header = tasks.read_header(file)
    name = model or _in_zoo(header["model"]["name"])
    loaded = terminal.load(name)
    shape = tuple(header["model"]["image_shape"])
    if loaded.image_shape != shape:
        loaded = terminal.load(name, shape)
    with terminal.progress("Decompressing", 1) as done:
        items = tasks.decompress(
            loaded, file, any_version=any_version, progress=done
        )
    named = _by_output_name(items)
    with files.atomic_folder(output) as folder:
        for name, item in named.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _write(item, loaded.num_levels, folder / name)
    number = sum(len(x.levels) if x.levels.ndim == 4 else 1 for x in items)
    print(f"{number:,} images in {output}/")


def _in_zoo(name: Any) -> str:
    """The model that a file names, if it comes with the package."""
    from keras_pixel import presets

    if name not in presets.list_models():
        raise ValueError(
            "`--model` must be given for a file by a model that is not in the "
            f"zoo. Received: a file by {name!r}. Give the folder of its "
            "preset."
        )
    return name


def _read(sources: list[str], model: Any) -> tuple[list[Any], list[str]]:
    """Read pictures and arrays of levels.

    Returns:
        List of `tasks.Item`, and the names of those that are JPEGs.
    """
    from keras_pixel import tasks

    items, jpegs = [], []
    for name, path in _files(sources):
        if path.suffix.lower() == ".npy":
            items.append(tasks.Item(_read_array(path), name))
            continue
        levels, mode, is_jpeg = _read_picture(path, model.num_levels)
        items.append(tasks.Item(levels, name, mode))
        if is_jpeg:
            jpegs.append(name)
    _by_output_name(items)
    return items, jpegs


def _by_output_name(items: list[Any]) -> dict[str, Any]:
    """Each item by the name that it is written under, which is its own."""
    named: dict[str, Any] = {}
    for item in items:
        there = named.setdefault(_output_name(item), item)
        if there is not item:
            raise ValueError(
                "Images must have different names, under which they are "
                f"written again. Received: {there.name!r} and {item.name!r}. "
                "Rename one of them, or compress the folder that holds both."
            )
    return named


def _files(sources: list[str]) -> Iterator[tuple[str, pathlib.Path]]:
    """Names, as in the output, and paths; those of a folder sorted."""
    from keras_pixel.data.folder import find_pictures

    for source in sources:
        path = pathlib.Path(source)
        if not path.exists():
            raise FileNotFoundError(
                "Images must be files or folders that exist. "
                f"Received: {source!r}, which does not. Check the path."
            )
        if not path.is_dir():
            yield path.name, path
            continue
        found = find_pictures(path)
        if not found:
            raise FileNotFoundError(
                "A folder of images must hold pictures. "
                f"Received: {source!r}, without any. Give another."
            )
        for name in found:
            yield name, path / name


def _read_array(path: pathlib.Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (EOFError, OSError, ValueError) as error:
        raise ValueError(
            "A .npy file must hold an array of levels. "
            f"Received: {str(path)!r}, which cannot be read: {error}. Save it "
            "again."
        ) from error


def _read_picture(
    path: pathlib.Path, num_levels: int
) -> tuple[np.ndarray, str, bool]:
    """Levels `(height, width, channels)`, mode, and whether it is a JPEG."""
    from PIL import Image

    from keras_pixel.data.folder import is_cut_to_bytes

    try:
        with Image.open(path) as opened:
            is_jpeg = opened.format == "JPEG"
            frames = getattr(opened, "n_frames", 1)
            is_clear = opened.has_transparency_data
            is_deep = is_cut_to_bytes(opened)
            picture: Any = opened
            if picture.mode == "P" and not is_clear:
                # A palette is another way to write the same colours.
                picture = picture.convert("RGB")
            mode, values = picture.mode, np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            "Pictures must be readable. Received: "
            f"{str(path)!r}, which is not: {error}. Leave it out."
        ) from error
    if mode not in _MODES or frames > 1 or is_clear or is_deep:
        what = f"mode {mode!r}"
        if frames > 1:
            what = f"{frames} frames"
        elif is_clear:
            what += " and transparency"
        elif is_deep:
            what += " in 16 bits"
        raise ValueError(
            "Pictures must be grey or RGB, of 8 bits, without transparency, "
            "and one in a file, so that nothing is lost. "
            f"Received: {str(path)!r} with {what}. Convert it, or leave it "
            "out."
        )
    from keras_pixel.data.pictures import to_bytes

    values = values.reshape(*values.shape[:2], -1).astype("uint8")
    if mode == "1":
        values = values * np.uint8(255)
    levels = (values.astype("int32") * num_levels // 256).astype("uint8")
    if not np.array_equal(to_bytes(levels, num_levels), values):
        raise ValueError(
            f"A model of {num_levels} levels writes only pictures of "
            f"{num_levels} values without loss. Received: {str(path)!r}, of "
            f"{len(np.unique(values))} values. Use a model of 256 levels, or "
            "reduce the picture first."
        )
    return levels, mode, is_jpeg


def _output_name(item: Any) -> str:
    """Where an item is written: a path inside the folder of the output."""
    path = pathlib.PurePosixPath(item.name or "images.npy")
    if path.is_absolute() or ".." in path.parts or "\0" in item.name:
        raise ValueError(
            "The images of a compressed file must have names inside a folder. "
            f"Received: {item.name!r}. Do not trust this file."
        )
    return str(path.with_suffix(".png" if item.mode else ".npy"))


def _write(item: Any, num_levels: int, path: pathlib.Path) -> None:
    if not item.mode:
        with files.atomic_file(path) as file:
            np.save(file, item.levels)
        return
    from PIL import Image

    from keras_pixel.data.pictures import save_picture
    from keras_pixel.data.pictures import to_bytes

    values = to_bytes(item.levels, num_levels)
    values = values[..., 0] if values.shape[-1] == 1 else values
    picture = Image.fromarray(values)
    if picture.mode != item.mode:
        picture = picture.convert(item.mode)
    save_picture(picture, path)
