"""One function that loads any source of images as integer levels."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_size
from keras_pixel.data.image_data import ImageData
from keras_pixel.data.image_source import ImageSource
from keras_pixel.data.pixels import PixelConverter
from keras_pixel.data.sources import open_source
from keras_pixel.data.splits import SPLITS
from keras_pixel.data.splits import check_split_size
from keras_pixel.data.splits import choose
from keras_pixel.data.stored import StoredImages
from keras_pixel.files import PathLike


def load_data(
    source: Any,
    split: str = "train",
    *,
    data_dir: PathLike | None = None,
    download: bool = False,
    num_levels: int = 256,
    image_shape: tuple[int, int, int] | None = None,
    resize: str | None = None,
    values: str | None = None,
    labels: bool = False,
    validation: int | float | None = None,
    test: int | float | None = None,
    seed: int = 0,
    on_error: str = "raise",
    stream: bool = False,
) -> ImageData:
    """Load one split of a source of images as integer levels.

    What `source` means is never guessed from what happens to load:

    - an array, or a pair `(images, labels)` of arrays;
    - a path (`pathlib.Path`, or a string that begins with ".", "~" or "/",
      ends with "/" or with a file's ending, or has a "/" within and exists):
      a folder of pictures, one picture, an .npy or an .npz file;
    - any other string: the name of a TFDS data set, such as "cifar10",
      "name/config" or "name:1.0.0".

    Folders within a folder are labels, or the splits train, validation (val)
    and test with labels below. An .npz file holds `images` and `labels`, or
    such a pair for each split (`x_train`, `y_train`, `x_test`, …).

    Splits never overlap. A split that the source provides is used as it is. A
    missing one is taken out of the training images: the last ones by `id` or
    position if a TFDS data set has its own test split, else images drawn by
    `seed` and the image's id (file name, position). Given the same
    `validation`, `test` and `seed`, "train", "validation" and "test" together
    cover the source. Copies of a picture (the same bytes) among the images that
    are divided stay in one split.

    Args:
        source: see above.
        split: "train", "validation", "test", or "all" for every image.
        data_dir: folder of prepared TFDS data sets.
        download: bool. Whether a TFDS data set may be downloaded.
        num_levels: int from 2 to 256. 8-bit values `v` become level
            `floor(v * num_levels / 256)`.
        image_shape: `(height, width, channels)` wanted; `None` for the shape
            of the images, which must all be equal. The number of channels
            turns grey (1) into RGB (3) and vice versa.
        resize: what to do with images of another height or width. `None`
            raises an error; "resize" stretches them; "center_crop" scales the
            largest centred part with the right proportions.
        values: "pixels" for values from 0 to 255, "levels" for values that
            are already levels. `None` means pixels, except that data of 0 and
            1 are levels for `num_levels=2`; other ambiguous data raise an
            error.
        labels: bool. Whether to load labels.
        validation: number (int) or fraction (float) of the training images to
            use for validation if the source provides none. Defaults to 2,000,
            or a tenth of the training images if that is fewer.
        test: the same for the test split.
        seed: int, 0 or more. Decides only which images these are: keep it the
            same for training and evaluation.
        on_error: "raise" names all unreadable image files in one error;
            "skip" leaves them out, warns, and counts them in `.skipped`.
        stream: bool. Whether to leave images in their files and read each one
            when a batch needs it, for data larger than memory. With fewer than
            256 levels this needs `values`.

    Returns:
        `ImageData`.

    Raises:
        ValueError: if an argument, a shape, a value or a file is not as above.
        TypeError: if images are not integers.
        FileNotFoundError: if a path or prepared TFDS data set does not exist.
        ImportError: if a TFDS data set is requested without its packages.

    Example:

    >>> images = np.arange(20 * 4).reshape(20, 2, 2, 1)
    >>> len(load_data(images)), len(load_data(images, "test"))
    (16, 2)
    """
    check_choice("split", split, (*SPLITS, "all"))
    check_choice("on_error", on_error, ("raise", "skip"))
    check_split_size("validation", validation)
    check_split_size("test", test)
    seed = check_size("seed", seed, 0)
    converter = PixelConverter(num_levels, image_shape, resize, values)
    opened = open_source(source, data_dir=data_dir, download=download)
    if labels and not opened.has_labels:
        raise ValueError(
            "`labels` needs a source with one label per image. Received: "
            f"labels=True, source={opened.name!r}, which has none. Leave it "
            "out, or give (images, labels), or a folder for each label."
        )
    chosen, note = choose(
        opened.sizes,
        opened.ids,
        split,
        digests=opened.digests,
        validation=validation,
        test=test,
        seed=int(seed),
        ordered=opened.ordered,
        source=opened.name,
    )
    if stream:
        return _streamed(
            opened, chosen, converter, labels, on_error, note, split
        )
    images: list = []
    numbers: list = []
    ids: list = []
    skipped: list = []
    for part, positions in chosen.items():
        read = opened.read(part, positions, converter, on_error)
        images.append(read[0])
        if labels and read[1] is not None:
            numbers.extend(read[1])
        ids.extend(read[2])
        skipped.extend(read[3])
    if skipped:
        warnings.warn(
            f"{len(skipped):,} unreadable image files were skipped, the "
            f"first of them {skipped[0]}. See `skipped_files`.",
            stacklevel=2,
        )
    if not any(map(len, images)):
        raise ValueError(
            "A split must have at least one readable image. Received: "
            f"source={opened.name!r}, split={split!r}, with {len(skipped):,} "
            "unreadable files. Repair them, or ask for another split."
        )
    _check_labels(numbers, opened, split)
    return ImageData(
        converter.quantise(_joined(images)),
        np.array(numbers, "int32") if labels else None,
        num_levels=converter.num_levels,
        num_classes=opened.num_classes if labels else None,
        class_names=opened.class_names if labels else None,
        source=opened.name,
        split=split,
        note=note,
        ids=ids,
        skipped_files=skipped,
    )


def _joined(parts: Iterable[list[np.ndarray] | np.ndarray]) -> np.ndarray:
    """Join the images of several splits; a single array is not copied."""
    arrays = [
        part if isinstance(part, np.ndarray) else np.stack(part)
        for part in parts
        if len(part)
    ]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _check_labels(
    numbers: list[int] | np.ndarray, source: ImageSource, split: str
) -> None:
    if len(numbers) and min(numbers) < 0:
        raise ValueError(
            "Labels must be 0 or more. Received: a label of "
            f"{min(numbers)} in {source.name!r}, split={split!r}, which "
            "often means that it has none. Leave `labels` out."
        )


def _streamed(
    source: ImageSource,
    chosen: dict[str, np.ndarray],
    converter: PixelConverter,
    labels: bool,
    on_error: str,
    note: str,
    split: str,
) -> ImageData:
    if on_error == "skip":
        raise ValueError(
            "`stream` reads each file when a batch needs it, so cannot leave "
            'out unreadable ones. Received: stream=True, on_error="skip". '
            "Remove those files, or load without `stream`."
        )
    if converter.num_levels < 256 and converter.values is None:
        raise ValueError(
            "`stream` does not look at all images first, so `values` must say "
            "what they hold. Received: stream=True, values=None, "
            f'num_levels={converter.num_levels}. Pass values="pixels" for '
            '8-bit values, or values="levels" for levels.'
        )
    numbers = None
    if labels:
        all_labels = {part: source.labels(part) for part in chosen}
        numbers = np.concatenate(
            [
                of_part[chosen[part]]
                for part, of_part in all_labels.items()
                if of_part is not None  # none is: `has_labels`
            ]
        )
        _check_labels(numbers, source, split)
    ids: list[str] = []
    for part, positions in chosen.items():
        names = source.ids(part)
        ids += [names[position] for position in positions]
    return ImageData(
        StoredImages(source, chosen, converter),
        numbers,
        num_levels=converter.num_levels,
        num_classes=source.num_classes if labels else None,
        class_names=source.class_names if labels else None,
        source=source.name,
        split=split,
        note=note,
        ids=ids,
    )
