"""Paths that the commands write to, which are never those they read."""

import os
import pathlib
from collections.abc import Iterable

from keras_pixel.files import PathLike


def check_path(output: PathLike) -> None:
    """Raise ValueError unless the output can be a file or a folder."""
    if output in ("", "-") or "\0" in str(output):
        raise ValueError(
            "`--output` must be the path of a file or a folder. Received: "
            f"{output!r}, which is not. Give a path such as ./samples.png."
        )


def check_output(
    output: PathLike, inputs: Iterable[PathLike] = (), overwrite: bool = False
) -> None:
    """Raise an error, before any work, unless the output may be written.

    Args:
        output: path of the file or folder.
        inputs: paths that are read; those that do not exist are ignored.
        overwrite: bool. Whether to replace an output that exists.
    """
    check_path(output)
    path = pathlib.Path(output)
    for given in map(pathlib.Path, inputs):
        if given.exists() and _would_harm(path, given):
            raise ValueError(
                "`--output` must not be an input. Received: "
                f"{str(path)!r}, with the input {str(given)!r}. Give another "
                "path."
            )
    in_use = any(path.iterdir()) if path.is_dir() else path.exists()
    if in_use and not overwrite:
        raise FileExistsError(
            "`--output` must be new. Received: "
            f"{str(path)!r}, which exists. Give another path, or --overwrite "
            "to replace it."
        )
    folder = path if path.is_dir() else path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(
            "`--output` must lie in a folder. Received: "
            f"{str(path)!r}, where a file is in the way. Give another path."
        ) from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(
            "`--output` must be in a folder that can be written. "
            f"Received: {str(path)!r}. Give another path."
        )


def _would_harm(path: pathlib.Path, given: pathlib.Path) -> bool:
    if not path.exists():
        return False
    target, source = path.resolve(), given.resolve()
    # The input itself, by whatever name; a file of an input folder; or the
    # folder that an input lies in.
    if path.samefile(given) or source in target.parents:
        return True
    return path.is_dir() and target in source.parents
