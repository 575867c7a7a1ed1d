"""The only writer of files: each is there whole, or not at all."""

import contextlib
import hashlib
import json
import os
import pathlib
import secrets
import shutil


@contextlib.contextmanager
def atomic_file(path):
    """A binary file that gets its name only once it is complete on the disk.

    A kill at any time leaves the former file, or the new one.

    Args:
        path: where the file is wanted; its parents are made.

    Yields:
        The file, open for writing.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def remove_leftovers(folder):
    """Delete what `atomic_file` left behind when it was killed."""
    for leftover in pathlib.Path(folder).glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path, replace=False):
    """A new folder that gets its name only once it is complete.

    Args:
        path: where the folder is wanted; its parents are made.
        replace: bool. Whether a folder that is there is replaced. An empty
            one always is. Defaults to `False`.

    Yields:
        `pathlib.Path` of the new folder, beside `path` under another name.

    Raises:
        FileExistsError: if there is something at `path` already.
    """
    path = pathlib.Path(path)
    if not (replace or is_free(path)):
        raise FileExistsError(
            "A folder is written once and never overwritten. "
            f"Received: {str(path)!r}, which exists. Choose another path, or "
            "remove it."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that renaming stays on one file system.
    token = secrets.token_hex(4)
    new = path.parent / f".{path.name}.new-{token}"
    old = path.parent / f".{path.name}.old-{token}"
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


def is_free(path):
    """Whether there is nothing at a path, or an empty folder."""
    path = pathlib.Path(path)
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextlib.contextmanager
def one_owner(folder):
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


def write_text(path, text):
    """Write a file of UTF-8 text."""
    with atomic_file(path) as file:
        file.write(text.encode())


def to_json(value):
    """JSON text as every file here has it: indented, ending in a newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def read_json(path, what, way_out="Check the path."):
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


def sha256(path):
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder):
    # A rename is on the disk once its folder is. Windows cannot open folders.
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
