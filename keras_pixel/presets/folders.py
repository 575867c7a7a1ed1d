"""The folders of presets, found in the zoo or at a path, and checked.

Nothing here builds a model or knows any. Files are JSON, Markdown, PNG and
HDF5; nothing is ever unpickled.
"""

import difflib
import fnmatch
import os
import pathlib
import re
import warnings
from collections.abc import Container
from typing import Any

from keras_pixel import files
from keras_pixel.files import PathLike

CONFIG_FILE = "config.json"
METADATA_FILE = "metadata.json"
WEIGHTS_FILE = "model.weights.h5"
# Raised when older readers could not read a new layout.
FORMAT = 1
# Bytes that file systems allow.
_LONGEST_NAME = 255

_ZOO_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def zoo_dir() -> pathlib.Path:
    """Return the zoo's folder, inside an installed package or beside it."""
    package = pathlib.Path(__file__).resolve().parents[1]
    inside = package / "zoo"
    return inside if inside.is_dir() else package.parent / "zoo"


def zoo_names() -> list[str]:
    """Return the sorted names of the zoo's presets."""
    zoo = zoo_dir()
    if not zoo.is_dir():
        raise FileNotFoundError(
            "The zoo of trained models must lie inside the package or beside "
            f"it. Received: no folder {str(zoo)!r}. Install keras_pixel again."
        )
    return sorted(
        folder.name
        for folder in zoo.iterdir()
        if _ZOO_NAME.fullmatch(folder.name) and (folder / CONFIG_FILE).is_file()
    )


def list_models(pattern: str | None = None) -> list[str]:
    """List the names of the trained models that come with the package.

    Args:
        pattern: string with the wildcards `*`, `?` and `[...]`, such as
            `"*cifar10*"`. A word without wildcards, such as `"cifar"`, may
            stand anywhere in a name. Upper and lower case are the same.
            Defaults to `None`: all names.

    Returns:
        A sorted list of names, each of which `load` takes.

    Example:

    >>> import keras_pixel
    >>> keras_pixel.list_models("no_such_*")
    []
    """
    names = zoo_names()
    if pattern is None:
        return names
    if not isinstance(pattern, str):
        raise TypeError(
            "`pattern` must be a string or None. "
            f"Received: pattern={pattern!r}. "
            'Give a pattern such as "*cifar10*".'
        )
    pattern = pattern.lower()
    if not set(pattern) & set("*?["):
        pattern = f"*{pattern}*"
    return [n for n in names if fnmatch.fnmatchcase(n.lower(), pattern)]


def find(name_or_path: PathLike) -> pathlib.Path:
    """Find the folder of a preset by its name, its path or its address.

    What has an address on a hub is fetched, see `hubs`. Another string that
    is a name in the zoo means that preset, whatever is in the working
    directory (write "./name" for a folder there); anything else is a path.
    Path objects are always paths.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise TypeError(
            "`name_or_path` must be a string or a path. "
            f"Received: name_or_path={name_or_path!r} of type "
            f"{type(name_or_path).__name__}. Give a name of `list_models()`, "
            'or a preset folder\'s path such as "./my_model".'
        )
    if isinstance(name_or_path, str) and "://" in name_or_path:
        from keras_pixel.presets import hubs

        if hubs.is_address(name_or_path):
            return hubs.fetch(name_or_path)
    if isinstance(name_or_path, str) and _ZOO_NAME.fullmatch(name_or_path):
        folder = zoo_dir() / name_or_path
        if (folder / CONFIG_FILE).is_file():
            folder = _inside_zoo(folder, name_or_path)
            _warn_of_namesake(folder, name_or_path)
            return folder
    path = pathlib.Path(os.path.expanduser(name_or_path))
    if os.fspath(name_or_path) == "" or not path.is_dir():
        raise _unknown_preset(name_or_path)
    return path


def _warn_of_namesake(folder: pathlib.Path, name: str) -> None:
    here = pathlib.Path(name)
    if (here / METADATA_FILE).is_file() and here.resolve() != folder:
        warnings.warn(
            f"{name!r} means the model in the zoo; the preset in the folder "
            f'of that name here is "./{name}".',
            stacklevel=4,
        )


def _inside_zoo(folder: pathlib.Path, name: str) -> pathlib.Path:
    resolved, zoo = folder.resolve(), zoo_dir().resolve()
    if resolved.parent != zoo:
        raise ValueError(
            "A preset of the zoo must lie in the zoo. Received: "
            f"name_or_path={name!r}, which leads to {str(resolved)!r}, outside "
            f"{str(zoo)!r}. Give that folder's path instead."
        )
    return resolved


def _unknown_preset(name: PathLike) -> ValueError:
    names = zoo_names()
    near = difflib.get_close_matches(os.fspath(name), names, n=3, cutoff=0.4)
    hint = f"Near names: {', '.join(near)}. " if near else ""
    return ValueError(
        "`name_or_path` must be the name of a model in the zoo, or the path of "
        "a preset folder, as `model.save_preset(path)` writes it. "
        f"Received: name_or_path={os.fspath(name)!r}, which is neither. "
        f"{hint}`keras_pixel.list_models()` lists the names."
    )


def read_json(folder: pathlib.Path, filename: str) -> dict[str, Any]:
    """Read a JSON object of the preset in `folder`."""
    path = folder / filename
    _check_inside(folder, filename)
    if not path.is_file():
        raise FileNotFoundError(
            f"A preset folder must hold `{filename}`. Received: "
            f"path={str(folder)!r}, without it. Save the preset again with "
            "`model.save_preset(path)`, or give another path."
        )
    value = files.read_json(
        path, f"`{filename}`", "Fetch or save the preset again."
    )
    if not isinstance(value, dict):
        raise ValueError(
            f"`{filename}` must be a JSON object. Received: {str(path)!r}, a "
            f"{type(value).__name__}. Fetch or save the preset again."
        )
    return value


def read_metadata(name_or_path: PathLike) -> dict[str, Any]:
    """Read what is known about a preset, its `metadata.json`, as a dict.

    Args:
        name_or_path: as for `load`.
    """
    folder = find(name_or_path)
    metadata = read_json(folder, METADATA_FILE)
    _check_metadata(metadata, folder)
    return metadata


def _check_metadata(metadata: dict[str, Any], folder: pathlib.Path) -> None:
    layout = metadata.get("format")
    if layout != FORMAT:
        versions = metadata.get("versions")
        known = isinstance(versions, dict) and versions.get("keras_pixel")
        raise ValueError(
            f"`{METADATA_FILE}` must have format {FORMAT}, which this version "
            f"of keras_pixel reads. Received: format={layout!r} in "
            f"{str(folder)!r}, written by keras_pixel {known or 'unknown'}. "
            "Install that version of keras_pixel, or save the preset again."
        )
    # Imported with the first preset: listing names needs no Pydantic.
    from keras_pixel.presets import metadata as declared

    declared.check(metadata, f"`{METADATA_FILE}` of {str(folder)!r}")


def check_files(
    folder: pathlib.Path, metadata: dict[str, Any], skip: Container[str] = ()
) -> None:
    """Raise an error naming the file if one is missing, altered or outside."""
    for filename in (CONFIG_FILE, WEIGHTS_FILE):
        if filename not in metadata["files"]:
            raise ValueError(
                f"`{METADATA_FILE}` must give the sha256 of `{filename}`. "
                f"Received: files={sorted(metadata['files'])} in "
                f"{str(folder)!r}. Fetch or save the preset again."
            )
    for filename, entry in metadata["files"].items():
        _check_inside(folder, filename)
        if filename not in skip:
            _check_hash(folder / filename, entry["sha256"])


def strangers(folder: pathlib.Path) -> list[str] | None:
    """Return the sorted names in a preset's folder that it does not list.

    `None` if the folder is not a preset of this package.
    """
    if folder.is_symlink() or not folder.is_dir():
        return None
    try:
        listed = read_metadata(pathlib.Path(os.path.abspath(folder)))["files"]
    except (OSError, ValueError):
        return None
    if not {CONFIG_FILE, WEIGHTS_FILE} <= set(listed):
        return None
    # A folder or a link under a listed name is not the file that was saved.
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in (METADATA_FILE, *listed)
        or path.is_symlink()
        or not path.is_file()
    )


def is_plain(filename: str) -> bool:
    """Whether a name can only be that of a file in the folder itself."""
    if not filename.isprintable() or len(filename.encode()) > _LONGEST_NAME:
        return False
    plain = pathlib.PurePath(filename).name == filename
    return plain and filename not in ("", "..") and "\\" not in filename


def _check_inside(folder: pathlib.Path, filename: str) -> None:
    if not is_plain(filename):
        shown = filename if len(filename) < 80 else f"{filename[:80]}…"
        raise ValueError(
            "A preset's files must lie in its own folder, under plain names. "
            f"Received: {shown!r} in `{METADATA_FILE}` of {str(folder)!r}. Do "
            "not load this preset unless you made it yourself; then save it "
            "again."
        )
    resolved = (folder / filename).resolve()
    if resolved.parent != folder.resolve():
        raise ValueError(
            "A preset's files must lie in its own folder. Received: "
            f"{filename!r} in `{METADATA_FILE}` of {str(folder)!r}, which "
            f"leads to {str(resolved)!r}. Do not load this preset unless you "
            "made it yourself; then save it again."
        )


def _check_hash(path: pathlib.Path, expected: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(
            f"The preset's file `{path.name}` must be there. Expected: "
            f"sha256={expected}. Received: no file {str(path)!r}. "
            "Fetch or save the preset again."
        )
    received = files.sha256(path)
    if received != expected:
        raise ValueError(
            f"The preset's file `{path.name}` must be the one that was saved; "
            f"it was truncated or altered. Expected: sha256={expected}. "
            f"Received: sha256={received}, {path.stat().st_size} bytes, in "
            f"{str(path)!r}. Fetch or save the preset again."
        )
