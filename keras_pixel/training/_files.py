"""Files that are there whole or not at all, and folders with one owner."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def written_whole(path):
    """A binary file that gets its name only once it is complete on the disk.

    A kill at any time leaves the former file, or the new one.
    """
    path = Path(path)
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
    """Delete what `written_whole` left behind when it was killed."""
    for leftover in Path(folder).glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def one_owner(folder):
    """Keep a second process out of a folder, until this one ends or dies."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    with open(Path(folder) / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                "A folder must be trained into by one process at a time. "
                f"Received: output_dir={str(folder)!r}, in use by another. "
                "Wait for it, or train into another folder."
            ) from error
        yield


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
