"""The only writer of files: each is there whole, or not at all."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Iterator
from typing import Any
from typing import BinaryIO

# What names a file or a folder.
PathLike = str | os.PathLike[str]
# Bytes of a name that another is made of.
_LONGEST_NAME = 200
# Others' files may end in .tmp, too.
_LEFTOVER = re.compile(r"\..+\.[0-9]+\.tmp")


@contextlib.contextmanager
def atomic_file(path: PathLike) -> Iterator[BinaryIO]:
    """A binary file that gets its name only once it is complete on the disk.

    A kill at any time leaves the former file, or the new one.

    Args:
        path: where the file is wanted; its parents are made.

    Yields:
        The file, open for writing.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    if len(os.fsencode(name)) > _LONGEST_NAME:  # of 255 that a name may have
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    temporary = path.with_name(f".{name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def remove_leftovers(folder: PathLike) -> None:
    """Delete what `atomic_file` left behind when it was killed."""
    for leftover in pathlib.Path(folder).glob(".*.tmp"):
        if _LEFTOVER.fullmatch(leftover.name):
            leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(
    path: PathLike, replace: bool = False
) -> Iterator[pathlib.Path]:
    """A new folder that gets its name only once it is complete.

    Args:
        path: where the folder is wanted; its parents are made.
        replace: bool. Whether a folder that is there is replaced. An empty
            one always is. Defaults to `False`.

    Yields:
        `pathlib.Path` of the new folder, beside `path` under another name.

    Raises:
        ValueError: if no folder can get this name: see `check_new_folder`.
        FileExistsError: if there is something at `path` already.
    """
    path = check_new_folder(path, replace)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that renaming stays on one file system.
    with _token(path) as token:
        new, old = _temporary_folders(path, token)
        try:
            new.mkdir()
            yield new
            if path.exists():
                path.rename(old)
            new.rename(path)
        except BaseException:
            if old.exists() and not path.exists():
                old.rename(path)
            raise
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)


def check_new_folder(path: PathLike, replace: bool = False) -> pathlib.Path:
    """Return where a folder can be put, as a `pathlib.Path`.

    What a killed process left behind there is removed.

    Args:
        path: where a folder is wanted.
        replace: bool. See `atomic_folder`.

    Raises:
        ValueError: if no folder can get this name.
        FileExistsError: if there is something at `path` already.
    """
    path = local_path(path)
    here = pathlib.Path.cwd()
    if path.resolve() in (here, *here.parents) or os.path.ismount(path):
        raise ValueError(
            "A folder is made under another name and then renamed, so it must "
            "not be the working directory, above it, or where a disk is "
            f"mounted. Received: {str(path)!r}. Name a new folder inside, "
            f"such as {str(path / 'out')!r}."
        )
    if path.parent.is_dir():
        _remove_dead(path)
    if not (replace or is_free(path)):
        raise FileExistsError(
            "A folder is written once and never overwritten. "
            f"Received: {str(path)!r}, which exists. Choose another path, or "
            "remove it."
        )
    return path


def local_path(path: PathLike) -> pathlib.Path:
    """Return a path on this machine as a `pathlib.Path`.

    Raises:
        ValueError: if it is an address, such as "gs://bucket/model".
    """
    # One slash is left of two where it has been a `Path` before.
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", os.fspath(path)):
        raise ValueError(
            "Folders are written on this machine. "
            f"Received: {os.fspath(path)!r}. Write a local folder, and copy "
            "it there."
        )
    return pathlib.Path(path)


def _temporary_folders(
    path: pathlib.Path, token: str
) -> tuple[pathlib.Path, pathlib.Path]:
    new, old = (f".{path.name}.{kind}-{token}" for kind in ("new", "old"))
    return path.parent / new, path.parent / old


@contextlib.contextmanager
def _token(path: pathlib.Path) -> Iterator[str]:
    """What tells the folders of one writer; locked for as long as it lives."""
    try:
        import fcntl
    except ImportError:  # not on Windows: what is left there stays
        yield secrets.token_hex(4)
        return
    while True:
        token = secrets.token_hex(4)
        lock = path.parent / f".{path.name}.new-{token}.lock"
        with open(lock, "x") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # taken for a dead one's
                continue
            if not os.fstat(file.fileno()).st_nlink:
                continue
            try:
                yield token
            finally:
                lock.unlink(missing_ok=True)
            return


def _remove_dead(path: pathlib.Path) -> None:
    """Remove what writers that were killed left beside `path`."""
    try:
        import fcntl
    except ImportError:
        return
    pattern = re.compile(
        re.escape(f".{path.name}.new-") + r"([0-9a-f]{8})\.lock"
    )
    for lock in list(path.parent.iterdir()):
        match = pattern.fullmatch(lock.name)
        if match is None:
            continue
        with contextlib.suppress(OSError), open(lock) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            new, old = _temporary_folders(path, match[1])
            # A writer may have been writing a folder for another one.
            _remove_dead(new)
            shutil.rmtree(new, ignore_errors=True)
            if old.exists() and not path.exists():
                old.rename(path)
            shutil.rmtree(old, ignore_errors=True)
            lock.unlink(missing_ok=True)


def is_free(path: PathLike) -> bool:
    """Whether there is nothing at a path, or an empty folder."""
    path = pathlib.Path(path)
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextlib.contextmanager
def one_owner(folder: PathLike) -> Iterator[None]:
    """Keep a second process out of a folder, until this one ends or dies."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    with open(pathlib.Path(folder) / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                "A folder must be written to by one process at a time. "
                f"Received: {str(folder)!r}, in use by another. Wait for it, "
                "or choose another folder."
            ) from error
        yield


def write_text(path: PathLike, text: str) -> None:
    """Write a file of UTF-8 text."""
    with atomic_file(path) as file:
        file.write(text.encode())


def to_json(value: Any) -> str:
    """JSON text as every file here has it: indented, ending in a newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def read_json(
    path: PathLike, what: str, way_out: str = "Check the path."
) -> Any:
    """The value in a JSON file.

    Args:
        path: the file.
        what: str. What the file is, as an error is to call it.
        way_out: str. The last sentence of an error.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not JSON.
    """
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{what} must be a file that exists. Received: "
            f"path={str(path)!r}, which does not. {way_out}"
        ) from error
    except OSError as error:
        raise OSError(
            f"{what} must be a file that can be read. Received: "
            f"path={str(path)!r}: {error.strerror}. {way_out}"
        ) from error
    except RecursionError as error:
        raise ValueError(
            f"{what} must be a JSON file of a few levels. Received: "
            f"path={str(path)!r}, which is nested too deeply. {way_out}"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{what} must be a JSON file. Received: path={str(path)!r}, "
            f"which is not: {error}. {way_out}"
        ) from error


def sha256(path: PathLike) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: PathLike) -> None:
    # A rename is on the disk once its folder is. Windows cannot open folders.
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
