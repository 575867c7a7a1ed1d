"""A folder that appears whole or not at all."""

import contextlib
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def whole_folder(path):
    """A temporary folder beside `path` that is renamed to it at the end.

    Args:
        path: where the folder is wanted; its parents are made.

    Yields:
        `pathlib.Path` of the temporary folder.

    Raises:
        FileExistsError: if there is something at `path` already.
    """
    path = pathlib.Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(
            "An export never overwrites. "
            f"Received: {str(path)!r}, which exists. Choose another path, or "
            "remove it."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(
        tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
    )
    try:
        # mkdtemp hides it from others, who are to serve it.
        temporary.chmod(0o755)
        yield temporary
        temporary.rename(path)
    finally:
        # Without effect once it has its name.
        shutil.rmtree(temporary, ignore_errors=True)
