"""How large encoded pictures are, before they are decoded.

A file of some kilobytes may hold a picture that takes gigabytes.
"""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Others than PNG and JPEG that TensorFlow decodes, and that are compressed.
_OTHERS = (b"GIF8", b"RIFF")


def num_pixels(data):
    """Number of pixels of an encoded picture.

    Args:
        data: bytes.

    Returns:
        int; 0 where it is no picture, which no model decodes.

    Raises:
        ValueError: if it is a picture, but neither PNG nor JPEG.
    """
    if data.startswith(_PNG):
        # The first chunk is always IHDR, and begins with width and height.
        if data[12:16] != b"IHDR" or len(data) < 24:
            return 0
        width, height = struct.unpack(">II", data[16:24])
        return width * height
    if data.startswith(_JPEG):
        return _pixels_of_jpeg(data)
    if data.startswith(_OTHERS):
        raise ValueError("a file that is neither PNG nor JPEG")
    return 0


def pictures_of_examples(examples):
    """The encoded pictures in serialised `tf.train.Example`s.

    Args:
        examples: list of bytes.

    Returns:
        List of bytes; one that is no example with an image has none.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    found = []
    for text in examples:
        try:
            feature = tf.train.Example.FromString(text).features.feature
        except DecodeError:
            continue
        if "image" in feature:
            found.extend(feature["image"].bytes_list.value)
    return found


def _pixels_of_jpeg(data):
    import tensorflow as tf

    try:
        height, width, _ = tf.io.extract_jpeg_shape(data).numpy()
    except tf.errors.InvalidArgumentError:
        return 0
    return int(height) * int(width)
