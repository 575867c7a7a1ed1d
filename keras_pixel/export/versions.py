"""Names and versions of models in a server's folder."""

import contextlib
import re

from keras_pixel.checks import check_size
from keras_pixel.export.graphs import check_exportable
from keras_pixel.export.model_folders import find_versions

SAVED_MODEL = "saved_model.pb"


def check_models(models):
    """Check what a server is to be given: models by their names.

    Raises:
        TypeError: if a model is no `PixelModel`.
        ValueError: if there is none, or a name cannot be used.
    """
    if not models:
        raise ValueError("`models` must have a model. Received: models={}")
    for name, model in models.items():
        check_exportable(model)
        # The name stands in paths, addresses and configurations.
        if (
            not isinstance(name, str)
            or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name)
            or name.isdigit()
        ):
            raise ValueError(
                "A model's name must be of letters, digits, '_', '-' and '.', "
                "and not of digits alone. "
                f"Received: {name!r}. Give another one by "
                "`{name: model}` in place of the model."
            )


def versions(folder, file=SAVED_MODEL):
    """Versions in a model's folder, which need not exist: see `find_versions`.

    Args:
        folder: `pathlib.Path`.
        file: str. What a version's folder must hold.
    """
    return find_versions(folder, file) if folder.is_dir() else {}


def latest(folder, file=SAVED_MODEL):
    """Folder of the highest version, or `None`."""
    return [None, *versions(folder, file).values()][-1]


def new_version(folder, version, file=SAVED_MODEL):
    """The number of a version that is not there yet.

    Args:
        folder: `pathlib.Path` of the model.
        version: int, or `None` for one more than the highest.
        file: see `versions`.

    Raises:
        ValueError: if the version is no positive integer.
        FileExistsError: if there is that version already.
    """
    taken = versions(folder, file)
    if version is None:
        return max(taken, default=0) + 1
    version = check_size("version", version)
    path = folder / str(version)
    if version in taken or path.exists():
        raise FileExistsError(
            "A version is never overwritten. "
            f"Received: version={version}, which exists: {str(path)!r}. Leave "
            "`version` out to write the next one."
        )
    return version


@contextlib.contextmanager
def removed_if_empty(*paths):
    """Remove folders that were not there before, should what follows fail.

    Args:
        *paths: `pathlib.Path`s, the inner ones first.
    """
    new = [path for path in paths if not path.exists()]
    try:
        yield
    except BaseException:
        for path in new:
            # One that somebody else put something in stays.
            with contextlib.suppress(OSError):
                path.rmdir()
        raise
