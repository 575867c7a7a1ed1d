"""Lossless compression of images, by a model and a range coder.

A model gives the probability of each level given those before it; a range
coder turns levels into about `-log2 p` bits each. To read them the model is
run again, step by step, and must give the same probabilities to the last bit.
"""

import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_pixel import files
from keras_pixel.checks import check_size
from keras_pixel.sampling.coding import StepCoder
from keras_pixel.tasks import compression_file
from keras_pixel.tasks import compression_identity
from keras_pixel.tasks import compression_tiles
from keras_pixel.tasks import picture_files
from keras_pixel.tasks.compression_file import Item
from keras_pixel.tasks.compression_result import CompressionResult

# Batches have one of these sizes, so that few tiles make a small one.
BATCH_SIZES = (1, 4, 16, 64, 256)
# Probability that the range coder gives to any symbol.
_LEAST = np.float32(2.0**-24)


def compress(
    model: Any,
    images: np.ndarray | Sequence[np.ndarray | Item],
    path: files.PathLike,
    *,
    labels: Any = None,
    order: Any = None,
    batch_size: int = BATCH_SIZES[-1],
    lag: int | None = None,
    compare: bool = False,
    verify: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CompressionResult:
    """Write images into one file, losslessly.

    Images of any size are cut into tiles of the model's size. What of a tile
    lies outside the image takes no bits. An image of one channel can be
    written by a model of several, and takes the bits of one.

    Args:
        model: `PixelModel` whose images can be drawn step by step.
        images: integer array `(batch, height, width, channels)` of levels; or
            a list of such arrays, of arrays `(height, width, channels)`, and
            of `Item`, which have names.
        path: of the file.
        labels: as in `model.log_prob`, where the model has classes. They are
            kept in the file.
        order: as in `model.log_prob`, one for all images or one for each, but
            not "mean". It is kept in the file. Defaults to `None`, the
            model's first.
        batch_size: int. The most tiles that are coded together. More are
            faster, and cost fewer bytes beside the images. Defaults to `256`.
        lag: int, of the wavefront; the width for raster order. Defaults to
            `None`, the model's own, which is fastest.
        compare: bool. Whether to measure PNG and WebP files, too. Defaults to
            `False`.
        verify: bool. Whether to read the file again, and compare. Defaults to
            `False`.
        progress: function called with the number of tiles done and their
            total number. Defaults to `None`.

    Returns:
        `CompressionResult`.

    Raises:
        ImportError: if constriction is not installed.
        TypeError: if the images are not integers.
        ValueError: if images do not fit the model.
        NotImplementedError: if the model cannot be run step by step.
        RuntimeError: if `verify` finds that other images came back.
    """
    queue, family = _range_coder()
    items = _checked_items(model, images)
    counts = [compression_tiles.count(item.levels.shape) for item in items]
    if lag is not None:
        lag = check_size("lag", lag)
    given, orders = _conditions(model, labels, order, sum(counts))
    told = list(given.values())
    shapes = [item.levels.shape for item in items]
    tiles = list(compression_tiles.tiles_of(shapes, model.image_shape, orders))
    batch_size = check_size("batch_size", batch_size)
    size = next((n for n in BATCH_SIZES if n >= len(tiles)), batch_size)
    size = min(size, batch_size)
    coder = _coder(model, size, lag)
    streams: list[bytes] = []
    checksums: list[int] = []
    bits = 0.0
    start = time.perf_counter()
    for first in range(0, len(tiles), size):
        part = tiles[first : first + size]
        levels, is_coded, conditions = compression_tiles.batch_of(
            part, size, model, told
        )
        for i, tile in enumerate(part):
            levels[i][tile.inside] = tile.read(items)
        checksums.append(compression_tiles.checksum(levels, part))
        encoder = queue.RangeEncoder()
        costs: list[float] = []

        def encode(
            probabilities: np.ndarray,
            symbols: np.ndarray,
            encoder: Any = encoder,
            costs: list[float] = costs,
        ) -> np.ndarray:
            encoder.encode(symbols, family, probabilities)
            chosen = probabilities[np.arange(len(symbols)), symbols]
            # Those of levels in a block need not sum to 1.
            chosen = chosen / probabilities.sum(axis=1)
            chosen = np.maximum(chosen, _LEAST)
            costs.append(-np.log2(chosen, dtype="float64").sum())
            return symbols

        _run(coder, encode, levels, is_coded, conditions)
        streams.append(encoder.get_compressed().astype("<u4").tobytes())
        bits += sum(costs)
        if progress is not None:
            progress(first + len(part), len(tiles))
    seconds = time.perf_counter() - start
    header = {
        "model": compression_identity.describe(model),
        "program": {
            **compression_identity.versions(),
            "batch_size": size,
            # As it was asked for: the same schedule comes of it.
            "lag": lag,
        },
        "machine": compression_identity.machine(),
        "items": [
            {
                "name": item.name,
                "mode": item.mode,
                "shape": list(item.levels.shape),
                "dtype": item.levels.dtype.str,
            }
            for item in items
        ],
        "labels": given["labels"].tolist() if "labels" in given else None,
        "order": orders if len({*orders}) > 1 else orders[0],
        "images_crc32": checksums,
    }
    num_bytes, header_bytes = compression_file.write(path, header, streams)
    if verify:
        again = decompress(model, path)
        same = (
            np.array_equal(a.levels, b.levels)
            for a, b in zip(again, items, strict=True)
        )
        if not all(same):
            raise RuntimeError(
                "A file must give back what was compressed. Received: other "
                f"images from {str(path)!r}. Keep the images, and report this."
            )
    png = webp = None
    if compare:
        png, webp = (
            _picture_bytes(items, model.num_levels, form)
            for form in ("PNG", "WEBP")
        )
    return CompressionResult(
        model=model.name,
        num_images=sum(counts),
        num_values=sum(item.levels.size for item in items),
        num_levels=model.num_levels,
        num_bytes=num_bytes,
        header_bytes=header_bytes,
        model_bits=bits,
        png_bytes=png,
        webp_bytes=webp,
        seconds=seconds,
        batch_size=size,
        num_batches=len(streams),
        lag=coder.lag,
    )


def decompress(
    model: Any,
    path: files.PathLike,
    *,
    any_version: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Item]:
    """Read what `compress` wrote, bit by bit the same.

    Args:
        model: the model that it was written with.
        path: of the file.
        any_version: bool. Whether to try with other versions of keras_pixel,
            Keras, its backend or constriction, too. A checksum still tells
            right images from wrong ones. Defaults to `False`.
        progress: function called with the number of tiles done and their
            total number. Defaults to `None`.

    Returns:
        List of `Item`, one for each array that was given.

    Raises:
        ImportError: if constriction is not installed.
        ValueError: if the file is damaged, or was written with another model
            or other versions; or if this machine computes other probabilities
            than the one that wrote it.
    """
    queue, family = _range_coder()
    header, streams = compression_file.read(path)
    compression_identity.check_same(model, header, path, any_version)
    items = [
        Item(np.zeros(x["shape"], x["dtype"]), x["name"], x["mode"])
        for x in header["items"]
    ]
    shapes = [item.levels.shape for item in items]
    told, orders = _kept_conditions(
        model, header, sum(compression_tiles.count(x) for x in shapes)
    )
    tiles = list(compression_tiles.tiles_of(shapes, model.image_shape, orders))
    program = header["program"]
    size = program["batch_size"]
    coder = _coder(model, size, program["lag"])
    for number, first in enumerate(range(0, len(tiles), size)):
        part = tiles[first : first + size]
        levels, is_coded, conditions = compression_tiles.batch_of(
            part, size, model, told
        )
        words = np.frombuffer(streams[number], "<u4").astype("uint32")
        decoder = queue.RangeDecoder(words)

        def decode(
            probabilities: np.ndarray,
            symbols: np.ndarray,
            decoder: Any = decoder,
        ) -> np.ndarray:
            try:
                return decoder.decode(family, probabilities)
            except AssertionError as error:
                # No symbol of these probabilities has such a code.
                raise _OtherProbabilities from error

        try:
            _run(coder, decode, levels, is_coded, conditions)
            found = compression_tiles.checksum(levels, part)
        except _OtherProbabilities:
            found = None
        if found != header["images_crc32"][number]:
            raise ValueError(
                "Images must have the checksums that they were written with. "
                f"Received: others for images {part[0].number} to "
                f"{part[-1].number} of {str(path)!r}, which is not damaged: "
                "this machine computes other probabilities. It was written on "
                f"{header['machine']}, and this is "
                f"{compression_identity.machine()}. Read it on a machine like "
                "that one."
            )
        for i, tile in enumerate(part):
            tile.write(items, levels[i][tile.inside])
        if progress is not None:
            progress(first + len(part), len(tiles))
    return items


def read_header(path: files.PathLike) -> dict[str, Any]:
    """What a compressed file says of itself.

    Returns:
        Dict of JSON values: `model` with its `name` and `image_shape`, the
        `program`, and the `items`.

    Raises:
        ValueError: if the file is damaged.
    """
    return compression_file.read(path)[0]


# === Checks ===


class _OtherProbabilities(Exception):
    """A stream that was written with other probabilities than these."""


def _range_coder() -> tuple[Any, Any]:
    try:
        from constriction import stream
    except ImportError as error:
        raise ImportError(
            "Compression needs constriction. Received: no such package. "
            'Install it with `pip install "keras-pixel[compression]"`.'
        ) from error
    # Probabilities become integers of 24 bits, each at least 1, in sums from
    # the first on: the same for the same floats.
    return stream.queue, stream.model.Categorical(perfect=False)


def _coder(model: Any, batch_size: int, lag: int | None) -> StepCoder:
    if not model.sampler.is_decodable:
        raise NotImplementedError(
            "Compression needs a model whose images can be drawn step by "
            f"step. Received: {model.name!r}, which is drawn by a forward pass "
            "for each sub-pixel. Use another model, or one with a `lag`."
        )
    return model.sampler.programs.get(
        ("coding", batch_size, lag), lambda: StepCoder(model, batch_size, lag)
    )


def _run(
    coder: StepCoder,
    code: Callable[[np.ndarray, np.ndarray], np.ndarray],
    levels: np.ndarray,
    is_coded: np.ndarray,
    conditions: list[np.ndarray],
) -> None:
    try:
        coder.run(code, levels, is_coded, conditions)
    except ValueError as error:
        if "not normalizable" not in str(error):
            raise
        raise ValueError(
            "The probabilities of a model must be numbers. Received: NaN or "
            "infinity. Load the last good weights."
        ) from error


def _checked_items(model: Any, images: Any) -> list[Item]:
    if isinstance(images, np.ndarray) and images.ndim == 4:
        images = [images]
    items = [x if isinstance(x, Item) else Item(np.asarray(x)) for x in images]
    channels = model.image_shape[-1]
    for i, item in enumerate(items):
        levels, where = item.levels, item.name or f"images[{i}]"
        if levels.dtype.kind not in "biu":
            raise TypeError(
                "Images must be integer levels: floats are not coded without "
                f"loss. Received: {where} of dtype {levels.dtype}. Convert "
                "them to levels."
            )
        if levels.ndim not in (3, 4) or levels.shape[-1] not in (1, channels):
            raise ValueError(
                "Images must have the shape (height, width, channels) or "
                "(batch, height, width, channels), with the channels of the "
                f"model, {channels}, or one. Received: {where} of shape "
                f"{levels.shape}. Convert them, or use another model."
            )
        if levels.size == 0:
            raise ValueError(
                f"Images must have pixels. Received: {where} of shape "
                f"{levels.shape}. Leave it out."
            )
        low, high = int(levels.min()), int(levels.max())
        if low < 0 or high >= model.num_levels:
            raise ValueError(
                f"Images must have levels from 0 to {model.num_levels - 1}, "
                f"as the model has. Received: {where} with levels from {low} "
                f"to {high}. A model of 256 levels writes all pictures of 8 "
                "bits."
            )
    if not items:
        raise ValueError(
            "There must be images to compress. Received: none. Give at least "
            "one."
        )
    return items


def _conditions(
    model: Any, labels: Any, order: Any, count: int
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Conditions of all images by name, and names of their orders."""
    if "condition" in model.conditions.names:
        raise NotImplementedError(
            "Compression needs a model of images alone, or one that is told "
            "labels or an order. Received: a model that is told another "
            "condition, which the file would have to hold. Use another model."
        )
    told = model.conditions.program_inputs(count, labels, order=order)
    names, values = model.conditions.names, told.get("conditions", ())
    orders = model.conditions.names_of_orders(count, order)
    return dict(zip(names, values, strict=True)), orders


def _kept_conditions(
    model: Any, header: dict[str, Any], count: int
) -> tuple[list[np.ndarray], list[str]]:
    """What `_conditions` gave, as the model takes it, from a file's header."""
    orders = model.conditions.names_of_orders(count, header["order"])
    given = {
        "labels": np.asarray(header["labels"] or (), "int32"),
        "order": np.array([model.orders.index(x) for x in orders], "int32"),
    }
    return [given[name] for name in model.conditions.names], orders


def _picture_bytes(
    items: Iterable[Item], num_levels: int, form: str
) -> int | None:
    """Of one file for each image; `None` if they cannot hold them."""
    total = 0
    for item in items:
        levels = item.levels.reshape(-1, *item.levels.shape[-3:])
        if not picture_files.can_hold(levels.shape[-1]):
            return None
        total += int(picture_files.num_bytes(levels, num_levels, form).sum())
    return total
