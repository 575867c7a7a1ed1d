"""Which models and versions there are in a folder."""

import pathlib
import threading

from keras_pixel.export.server.servable import RequestError
from keras_pixel.export.server.servable import Servable
from keras_pixel.export.server.servable import invalid


def find_versions(folder):
    """Versions in a model's folder: number to `pathlib.Path`, ascending.

    As TF-Serving does, folders whose name is no number are passed over.
    """
    folders = (path for path in pathlib.Path(folder).iterdir() if path.is_dir())
    found = {
        int(path.name): path
        for path in folders
        if path.name.isascii()
        and path.name.isdigit()
        and (path / "saved_model.pb").is_file()
    }
    return dict(sorted(found.items()))


def find_models(folder):
    """Models in a folder that `tf_serving` wrote: name to `pathlib.Path`.

    The folder of one model, with its versions in it, will do too.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if there is no model in it.
    """
    folder = pathlib.Path(folder).resolve()
    if not folder.is_dir():
        raise FileNotFoundError(
            "`folder` must be a folder of models. "
            f"Received: folder={str(folder)!r}, which does not exist. "
            "`keras-pixel export NAME --to FOLDER --format tf_serving` "
            "writes one."
        )
    if find_versions(folder):
        return {folder.name: folder}
    found = {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.is_dir()
        and not path.name.startswith(".")
        and find_versions(path)
    }
    if not found:
        raise ValueError(
            "`folder` must hold NAME/VERSION/saved_model.pb. "
            f"Received: folder={str(folder)!r}, which does not. "
            "`keras-pixel export NAME --to FOLDER --format tf_serving` "
            "writes one."
        )
    return found


class ModelRepository:
    """The models of a folder; versions that are added are found.

    Args:
        folder: see `find_models`.
        max_batch_size: int or `None`. See `Servable`.
        max_bytes: int or `None`. See `Servable`.
    """

    def __init__(self, folder, max_batch_size=None, max_bytes=None):
        self.folder = folder
        self._limits = (max_batch_size, max_bytes)
        self._loaded = {}
        self._lock = threading.Lock()

    def names(self):
        """Names of the models."""
        return sorted(find_models(self.folder))

    def versions(self, name):
        """Versions of a model: number to folder, ascending.

        Raises:
            RequestError: if there is no such model.
        """
        models = find_models(self.folder)
        if name not in models:
            raise RequestError(
                "NOT_FOUND",
                f"The model must be one of {sorted(models)}. "
                f"Received: {name!r}.",
            )
        return find_versions(models[name])

    def find(self, name, version=None, label=""):
        """Number and folder of a version; the latest one by default.

        Raises:
            RequestError: if there is none.
        """
        if label:
            raise invalid(
                "This development server knows no version labels. "
                f"Received: label={label!r}. Ask for a version by its number."
            )
        versions = self.versions(name)
        version = max(versions) if version is None else version
        if version not in versions:
            raise RequestError(
                "NOT_FOUND",
                f"The version of {name!r} must be one of {list(versions)}. "
                f"Received: {version}.",
            )
        return version, versions[version]

    def servable(self, name, version=None, label=""):
        """Number of a version, and the model itself, loaded if need be."""
        version, folder = self.find(name, version, label)
        key = name, version
        # Requests for a loaded version do not wait for one being loaded.
        if key not in self._loaded:
            with self._lock:
                if key not in self._loaded:
                    self._loaded[key] = Servable(folder, *self._limits)
        return version, self._loaded[key]
