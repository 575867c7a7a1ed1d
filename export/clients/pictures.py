"""Pictures to integer levels and back, and what both clients share."""

import argparse
import csv
import pathlib
import sys

from PIL import Image
from PIL import ImageOps

EXTENSIONS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
MODES = {1: "L", 3: "RGB"}
# Others have more than 8 bits a channel.
READ_MODES = {"1", "L", "LA", "P", "PA"}
READ_MODES |= {"RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
# What Pillow cuts to 8 bits without a word.
DEEP = ("L;16", "LA;16", "RGB;16", "RGBA;16", "CMYK;16")


def find_pictures(path):
    """The pictures of a folder, sorted; or the one picture."""
    path = pathlib.Path(path)
    if path.is_file():
        return [path]
    found = sorted(
        file for file in path.rglob("*") if file.suffix.lower() in EXTENSIONS
    )
    if not found:
        raise SystemExit(
            "`pictures` must be a picture or a folder of them. "
            f"Received: {str(path)!r}, with no pictures in it. Check the path."
        )
    return found


def read_picture(path, shape, num_levels):
    """Integer levels of a picture, resized to the model's size.

    Args:
        path: the picture's file.
        shape: (height, width, channels) of the model.
        num_levels: levels of the model.

    Returns:
        bytes, row by row, the channels of a pixel together.
    """
    height, width, channels = shape
    if channels not in MODES:
        raise SystemExit(f"Pictures have 1 or 3 channels, not {channels}.")
    try:
        with Image.open(path) as picture:
            picture = _opaque(picture).convert(MODES[channels])
            picture = picture.resize((width, height), Image.Resampling.BOX)
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
    ) as e:
        raise SystemExit(
            "A picture must be a whole image file. "
            f"Received: {str(path)!r}: {e}. Leave it out, or mend it."
        ) from e
    return bytes(v * num_levels // 256 for v in picture.tobytes())


def _opaque(picture):
    """The picture, upright; refused where its values would mean another."""
    frames = getattr(picture, "n_frames", 1)
    # An MPO file of a camera is one photograph followed by previews.
    if frames > 1 and picture.format != "MPO":
        raise ValueError(f"an animation of {frames} pictures, not one")
    for tile in getattr(picture, "tile", ()):
        words = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if any(str(word).startswith(DEEP) for word in words):
            raise ValueError("of 16 bits a channel, not 8")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode not in READ_MODES:
        raise ValueError(f"not of 8 bits a channel (mode {picture.mode})")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema()[0] < 255:
            raise ValueError("partly transparent; flatten it")
    return picture


def write_picture(path, levels, shape, num_levels):
    """Write integer levels as a PNG; the highest level becomes white."""
    height, width, channels = shape
    # Rounded up, so that reading it again gives the same levels.
    values = bytes(-(-v * 255 // (num_levels - 1)) for v in levels)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.frombytes(MODES[channels], (width, height), values).save(path)


def upper_mask(fraction, shape):
    """Mask (height * width values, 1 is known) of the upper part."""
    height, width, _ = shape
    known_rows = round(fraction * height)
    return bytes(int(i // width < known_rows) for i in range(height * width))


def run(client_class, server, arguments=None):
    """The command line of a client.

    Args:
        client_class: called with server, model, version and timeout; has
            `shape`, `num_levels`, `score`, `sample` and `complete`. They take
            and give lists of bytes, one for each image, and what else the
            model is told by its name.
        server: the default address.
        arguments: list of words; by default those of the command line.
    """
    options = _parse(server, arguments)
    try:
        _run(client_class, options)
    except OSError as error:
        # A folder that cannot be written, a file that is not there.
        raise SystemExit(f"Error: {error}") from error


def _run(client_class, options):
    client = client_class(
        options.server, options.model, options.version, options.timeout
    )
    shape, num_levels = client.shape, client.num_levels
    if options.command == "score":
        _score(client, options)
        return
    seeds = iter(range(options.seed, 2**31))
    for batch in _batches(_wanted(client, options), options.batch_size):
        seed = [next(seeds) for _ in batch]
        temperature = [options.temperature] * len(batch)
        told = _told(options, batch)
        if options.command == "sample":
            images = client.sample(seed, temperature, **told)
        else:
            given = [read_picture(path, shape, num_levels) for path in batch]
            mask = [upper_mask(options.keep, shape)] * len(batch)
            images = client.complete(given, mask, seed, temperature, **told)
        for number, image in zip(seed, images, strict=True):
            path = pathlib.Path(options.output) / f"{number:05}.png"
            write_picture(path, image, shape, num_levels)
            print(path)


def _score(client, options):
    writer = csv.writer(sys.stdout)
    writer.writerow(["file", "log_prob", "bits_per_dim"])
    for batch in _batches(find_pictures(options.pictures), options.batch_size):
        images = [
            read_picture(path, client.shape, client.num_levels)
            for path in batch
        ]
        scores = client.score(images, **_told(options, batch))
        for path, score in zip(batch, scores, strict=True):
            writer.writerow([path, *score])


def _told(options, batch):
    """What a model of labels or of several orders is told of each image."""
    told = {"labels": options.label, "order": options.order}
    return {k: [v] * len(batch) for k, v in told.items() if v is not None}


def _wanted(client, options):
    if options.command == "sample":
        return range(options.count)
    return find_pictures(options.pictures)


def _batches(items, size):
    return [items[i : i + size] for i in range(0, len(items), size)]


def _number(kind, least, most=None):
    """A type of `argparse`: an int or float in a range."""

    def parse(text):
        value = kind(text)
        if not (least <= value and (most is None or value <= most)):
            limit = "" if most is None else f" and at most {most}"
            raise argparse.ArgumentTypeError(
                f"must be at least {least}{limit}, received {text}"
            )
        return value

    # What argparse calls it where `kind` refuses the text.
    parse.__name__ = kind.__name__
    return parse


def _parse(server, arguments):
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--server", default=server)
    common.add_argument("--model", required=True)
    common.add_argument(
        "--version", type=_number(int, 1), help="the latest by default"
    )
    common.add_argument(
        "--timeout", type=_number(float, 0.001), default=600, help="seconds"
    )
    common.add_argument("--batch-size", type=_number(int, 1), default=16)
    common.add_argument(
        "--label",
        type=_number(int, 0, 2**30),
        help="class id of all images, for a model of labels",
    )
    common.add_argument(
        "--order",
        type=_number(int, 0, 7),
        help="index of the order of all images, for a model of several",
    )
    drawing = argparse.ArgumentParser(add_help=False)
    drawing.add_argument(
        "--seed", type=_number(int, 0, 2**30), default=0, help="of the first"
    )
    drawing.add_argument("--temperature", type=_number(float, 0), default=1.0)
    drawing.add_argument("--output", default="out", help="folder")
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    score = commands.add_parser("score", parents=[common])
    score.add_argument("pictures", help="folder or file")
    sample = commands.add_parser("sample", parents=[common, drawing])
    sample.add_argument("--count", type=_number(int, 1, 2**30), default=4)
    complete = commands.add_parser("complete", parents=[common, drawing])
    complete.add_argument("pictures", help="folder or file")
    complete.add_argument(
        "--keep",
        type=_number(float, 0, 1),
        default=0.5,
        help="part of the height, from above",
    )
    return parser.parse_args(arguments)
