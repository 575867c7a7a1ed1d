"""Image files for the command line: levels in, levels out."""

import pathlib
import re
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_pixel import files
from keras_pixel.cli import paths
from keras_pixel.files import PathLike
from keras_pixel.presets import folders

# The names of files by `write_images`, unlike those of photographs.
_OWN_PICTURE = re.compile(r"\d+\.png")


def open_images(
    sources: Iterable[PathLike],
    model: Any,
    resize: str | None = None,
    values: str | None = None,
    stream: bool = False,
) -> list[tuple[Any, list[str]]]:
    """Open files, folders and .npy arrays as images of integer levels.

    Args:
        sources: paths of pictures, of folders of pictures, or of .npy files.
        model: the model whose `image_shape` and `num_levels` they must have.
        resize: how to bring pictures to `image_shape`; see `load_data`.
        values: "pixels" or "levels", for arrays. Defaults to `None`: levels,
            as the commands write them.
        stream: bool. Whether to read folders and arrays batch by batch.

    Returns:
        A list of `(data, names)`: an `ImageData` for each source, and a name
        for each of its images.
    """
    from keras_pixel.data import load_data

    opened = []
    for source in sources:
        path = pathlib.Path(source)
        if not path.exists():
            raise FileNotFoundError(
                "Images must be files or folders that exist. "
                f"Received: {str(source)!r}, which does not. Check the path."
            )
        is_array = path.suffix.lower() in (".npy", ".npz")
        is_several = is_array or path.is_dir()
        data = load_data(
            path,
            "all",
            image_shape=model.image_shape,
            num_levels=model.num_levels,
            resize=resize,
            values=(values or "levels") if is_array else "pixels",
            stream=stream and is_several,
        )
        names = [str(source)]
        if is_several and data.ids is not None:
            names = [f"{source}:{name}" for name in data.ids]
        opened.append((data, names))
    return opened


def read_images(
    sources: Iterable[PathLike],
    model: Any,
    resize: str | None = None,
    values: str | None = None,
) -> tuple[np.ndarray, list[str]]:
    """Read all images of files, folders and .npy arrays; see `open_images`.

    Returns:
        `(images, names)`: an array (batch, height, width, channels), and a
        name for each image.
    """
    opened = open_images(sources, model, resize, values)
    images = np.concatenate([np.asarray(data.images) for data, _ in opened])
    return images, [name for _, names in opened for name in names]


def stream_batches(
    opened: list[tuple[Any, list[str]]], batch_size: int
) -> Iterator[tuple[np.ndarray, list[str], list[str]]]:
    """Yield the images of several sources, batch by batch.

    Args:
        opened: see `open_images`.
        batch_size: int. Images in a batch, which may span several sources.

    Yields:
        `(images, names, unreadable)`: an array, a name for each image, and
        what is wrong with each file of the batch that cannot be read.
    """
    from keras_pixel.data.folder import UnreadableError

    positions = [
        (data, index, name)
        for data, names in opened
        for index, name in enumerate(names)
    ]
    for start in range(0, len(positions), batch_size):
        images, names, unreadable = [], [], []
        for data, index, name in positions[start : start + batch_size]:
            try:
                images.append(data.images[index])
            except UnreadableError as error:
                ((_, problem),) = error.problems
                unreadable.append(f"{name}: {problem}")
            else:
                names.append(name)
        yield np.array(images), names, unreadable


def read_split(
    data: str | None, split: str, preset: str, model: Any, **options: Any
) -> Any:
    """Read a split of a data set, as `ImageData`.

    The data set of the preset's recipe, named or not, is split as in the
    training: its test images have not been trained on.

    Args:
        data: TFDS name or path; `None` for the data set of the recipe.
        split: "train", "validation", "test" or "all".
        preset: name or folder of the preset.
        model: the preset's model.
        **options: arguments of `load_data`; those that are `None` are dropped.
    """
    options = {
        key: value for key, value in options.items() if value is not None
    }
    if model.num_classes is not None:
        options["labels"] = True
    recipe = _recipe(preset)
    if data is None and recipe is None:
        raise ValueError(
            "DATA must be given for a model without a recipe. "
            f"Received: model={preset!r} alone. Give a TFDS name or a path."
        )
    if data is None or (recipe is not None and recipe.is_trained_on(data)):
        if data is not None:
            options["source"] = data
        images = recipe.load_data(split, **options)
    else:
        from keras_pixel.data import load_data

        images = load_data(
            data,
            split,
            image_shape=model.image_shape,
            num_levels=model.num_levels,
            **options,
        )
    _name_labels(images, model)
    return images


def _recipe(preset: str) -> Any:
    """Return the recipe of a preset, or `None` if it has none."""
    path = folders.find(preset) / "recipe.json"
    if not path.is_file():
        return None
    from keras_pixel.training import Recipe

    return Recipe.from_json(path)


def _name_labels(images: Any, model: Any) -> None:
    """Give images the labels that a model has for their classes.

    A data set numbers its classes from 0, whichever of the model's they are.
    """
    names, known = images.class_names, model.class_names
    if images.labels is None or not names or not known or names == known:
        return
    missing = sorted(set(names) - set(known))
    if missing:
        raise ValueError(
            f"The classes of the data must be among the model's, {known}. "
            f"Received: {missing} as well. Rename the folders, or leave them "
            "out."
        )
    numbers = np.array([known.index(name) for name in names], "int32")
    images.labels = numbers[images.labels]
    images.class_names, images.num_classes = known, len(known)


def read_mask(path: PathLike, image_shape: tuple[int, ...]) -> np.ndarray:
    """Read a mask of known pixels from a picture or a .npy file.

    True means known. In a picture the lighter half of the grey levels does.

    Returns:
        Boolean array (height, width), or (batch, height, width).
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"`--mask` must be a file. Received: {str(path)!r}, which is not. "
            "Give a picture or a .npy file."
        )
    if path.suffix.lower() == ".npy":
        try:
            mask = np.load(path, allow_pickle=False) != 0
        except (EOFError, ValueError) as error:
            raise _unreadable_mask(path, error) from error
    else:
        from PIL import Image

        try:
            with Image.open(path) as picture:
                mask = np.asarray(picture.convert("L")) >= 128
        except (OSError, SyntaxError, ValueError) as error:
            raise _unreadable_mask(path, error) from error
    if mask.ndim not in (2, 3) or mask.shape[-2:] != tuple(image_shape[:2]):
        raise ValueError(
            "`--mask` must have the height and width of the images, "
            f"{tuple(image_shape[:2])}. Received: {str(path)!r} of shape "
            f"{mask.shape}. Make a mask of that size."
        )
    return mask


def _unreadable_mask(path: PathLike, error: Exception) -> ValueError:
    return ValueError(
        "`--mask` must be a picture or a .npy file of numbers. Received: "
        f"{str(path)!r}, which cannot be read: {error}. Save it again."
    )


def half_mask(
    keep: str, fraction: float, image_shape: tuple[int, ...]
) -> np.ndarray:
    """Make a mask whose known pixels are one side of an image.

    Args:
        keep: "top", "bottom", "left" or "right".
        fraction: float in [0, 1]. The known fraction of the image.
        image_shape: `(height, width, channels)`.
    """
    height, width = image_shape[:2]
    mask = np.zeros((height, width), bool)
    rows, columns = round(fraction * height), round(fraction * width)
    sides: dict[str, slice | tuple[slice, slice]] = {
        "top": np.s_[:rows],
        "bottom": np.s_[height - rows :],
        "left": np.s_[:, :columns],
        "right": np.s_[:, width - columns :],
    }
    mask[sides[keep]] = True
    return mask


def repeat(
    images: np.ndarray, mask: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Repeat each image `count` times, with a mask for each.

    Returns:
        `(images, masks)`: masks (batch, height, width).
    """
    if mask.ndim == 3 and len(mask) != len(images):
        raise ValueError(
            "`--mask` must hold one mask, or one for each image. "
            f"Received: {len(mask)} masks for {len(images)} images. Give one "
            "for all."
        )
    masks = np.broadcast_to(mask, (len(images), *mask.shape[-2:]))
    return np.repeat(images, count, axis=0), np.repeat(masks, count, axis=0)


def output_format(output: PathLike, chosen: str | None = None) -> str:
    """Return the format of an output: the chosen one, or by its name."""
    suffix = pathlib.Path(output).suffix.lower()
    found = {".png": "grid", ".npy": "npy", "": "files"}.get(suffix)
    form = chosen or found
    if form is None:
        raise ValueError(
            "`--output` must end in .png (one grid), in .npy (an array), or "
            "have no ending (a folder of files). "
            f"Received: {str(output)!r}. Change it, or give --format."
        )
    return form


def check_output(
    output: PathLike,
    file_format: str,
    inputs: Iterable[PathLike] = (),
    overwrite: bool = False,
) -> None:
    """Raise an error, before any work, unless the output may be written.

    Args:
        output: path of the file or folder.
        file_format: "grid", "files" or "npy".
        inputs: paths that are read, which are never written to.
        overwrite: bool. Whether to replace an output that exists.
    """
    paths.check_path(output)
    path = pathlib.Path(output)
    if file_format == "files" and path.is_file():
        raise ValueError(
            "`--output` must be a folder for separate files. "
            f"Received: {str(path)!r}, a file. Give another path."
        )
    if file_format != "files" and path.is_dir():
        raise ValueError(
            "`--output` must be a file for a grid or an array. "
            f"Received: {str(path)!r}, a folder. Give another path, or "
            "--format files."
        )
    paths.check_output(output, inputs, overwrite)
    if file_format == "files":
        _check_replaceable(path)


def check_channels(file_format: str, channels: int) -> None:
    """Raise ValueError unless picture files can hold so many channels."""
    if file_format == "files" and channels not in (1, 3):
        raise ValueError(
            "Separate picture files need images of 1 or 3 channels. "
            f"Received: {channels} channels. Write a .npy file."
        )


def _check_replaceable(folder: pathlib.Path) -> None:
    """Raise FileExistsError unless a folder holds only pictures of ours."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if not _OWN_PICTURE.fullmatch(path.name) or not path.is_file():
            raise FileExistsError(
                "`--overwrite` replaces a folder of numbered pictures only, "
                "such as 07.png, and deletes nothing else. Received: "
                f"{str(folder)!r}, which holds {path.name!r}. Give another "
                "folder."
            )


def write_images(
    images: np.ndarray,
    num_levels: int,
    output: PathLike,
    file_format: str,
    columns: int | None = None,
) -> str:
    """Write images as one PNG grid, as separate PNG files, or as an array.

    Args:
        images: integer levels (batch, height, width, channels).
        num_levels: int. The highest level becomes white.
        output: path of the file or folder, created with its parents.
        file_format: "grid", "files" or "npy".
        columns: int. Images in a row of a grid.

    Returns:
        A line that says what was written.
    """
    path = pathlib.Path(output)
    images = np.asarray(images)
    if file_format == "npy":
        with files.atomic_file(path) as file:
            np.save(file, images)
        return f"{len(images)} images of levels in {path}"
    if file_format == "grid":
        from keras_pixel.data.pictures import image_sheet
        from keras_pixel.data.pictures import save_picture

        save_picture(image_sheet(images, num_levels, columns=columns), path)
        return f"{len(images)} images in {path}"
    from PIL import Image

    from keras_pixel.data.pictures import save_picture
    from keras_pixel.data.pictures import to_bytes

    _check_replaceable(path)
    digits = len(str(len(images) - 1))
    # Replaced as a whole, so that no picture of an earlier run remains.
    with files.atomic_folder(path, replace=True) as new:
        for index, values in enumerate(to_bytes(images, num_levels)):
            values = values[..., 0] if values.shape[-1] == 1 else values
            picture = Image.fromarray(values)
            save_picture(picture, new / f"{index:0{digits}d}.png")
    return f"{len(images)} images in {path}{'/'}"
