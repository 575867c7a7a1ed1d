"""Sources of images: a TFDS name, a folder, an array file or an array."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from keras_pixel.data.arrays import ArraySource
from keras_pixel.data.arrays import read_array_file
from keras_pixel.data.folder import SUFFIXES
from keras_pixel.data.folder import FolderSource
from keras_pixel.files import PathLike

if TYPE_CHECKING:
    from keras_pixel.data.tfds_source import TfdsSource

ARRAY_SUFFIXES = (".npy", ".npz")

# name, name/config, name:version, name/config:version
_TFDS_NAME = re.compile(r"\w[\w\-]*(/[\w.+\-]+)*(:[\w.*]+)?")


def open_source(
    source: Any, *, data_dir: PathLike | None = None, download: bool = False
) -> "ArraySource | FolderSource | TfdsSource":
    """Open the source that `source` means; see `load_data` for the rules."""
    if isinstance(source, str) and not is_path(source):
        if not _TFDS_NAME.fullmatch(source):
            raise ValueError(
                "`source` must be the name of a TFDS data set, a path or an "
                f"array. Received: source={source!r}, which is neither a name "
                'nor an existing path. Begin a path with "./" or "/".'
            )
        from keras_pixel.data.tfds_source import TfdsSource

        return TfdsSource(source, data_dir=data_dir, download=download)
    if data_dir is not None or download:
        raise ValueError(
            "`data_dir` and `download` belong to TFDS data sets. Received: "
            f"data_dir={data_dir!r}, download={download!r} with a source "
            f"that is {_kind(source)}. Leave them out."
        )
    if isinstance(source, (str, os.PathLike)):
        return _open_path(source)
    return ArraySource.from_arrays(source)


def is_path(source: str) -> bool:
    """Whether a string means a path; if not, it names a TFDS data set.

    A string that begins like a path (".", "~", "/", a drive) or ends like a
    folder ("/") or a file ("x.npz", "x.png") is a path, existing or not. One
    with a slash inside ("photos/cats") is a path if that path exists. A bare
    word ("mnist") never is.
    """
    suffixes = ARRAY_SUFFIXES + SUFFIXES
    if source.startswith((".", "~")) or source.lower().endswith(suffixes):
        return True
    if os.path.isabs(source) or source.endswith(("/", os.sep)):
        return True
    return ("/" in source or os.sep in source) and os.path.exists(source)


def _open_path(source: PathLike) -> ArraySource | FolderSource:
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            "`source` must be a folder or file that exists. Received: "
            f"source={str(source)!r}, which does not. Check the path."
        )
    if path.suffix.lower() in ARRAY_SUFFIXES and path.is_file():
        return read_array_file(path)
    return FolderSource(path)


def _kind(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return f"the path {str(source)!r}"
    return "an array"
