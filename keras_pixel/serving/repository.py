"""Which models and versions there are in a folder."""

import threading

from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import Servable
from keras_pixel.export.servable import find_models
from keras_pixel.export.servable import find_versions
from keras_pixel.export.servable import invalid


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
