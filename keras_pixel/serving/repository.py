"""The models and versions of a folder that are served."""

import dataclasses
import pathlib
import sys
import threading
import weakref
from collections.abc import Iterable

from keras_pixel.export.model_folders import find_models
from keras_pixel.export.model_folders import find_versions
from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import Servable
from keras_pixel.export.servable import invalid
from keras_pixel.export.warmup import replay_warmup
from keras_pixel.files import PathLike


@dataclasses.dataclass(frozen=True)
class Version:
    """The state of one version.

    Args:
        folder: `pathlib.Path`.
        state: "LOADING", "AVAILABLE", "UNLOADING" or "END", as TF-Serving
            calls them.
        servable: its `Servable` if it is available, else `None`.
        error: why it could not be loaded, or `None`.
        contents: names, sizes and times of its files when it was loaded.
        retired: weak reference to its `Servable` while it is unloading, which
            is until the last request that uses it has ended.
    """

    folder: pathlib.Path
    state: str
    servable: Servable | None = None
    error: Exception | None = None
    contents: tuple[tuple[str, int, int], ...] = ()
    retired: weakref.ref[Servable] | None = None


class ModelRepository:
    """The models of a folder, each in the latest version that can be loaded.

    As in TF-Serving with the models.config that `tf_serving` writes, one
    version of a model is served: a new version replaces the old one once it is
    loaded and warm, never before. A version that cannot be loaded is reported
    as ended, with the error, and tried again when its files have changed. A
    version that was replaced answers the requests that it has; then its memory
    is given back.

    Args:
        folder: see `find_models`.
        max_batch_size: int or `None`. See `Servable`.
        max_bytes: int or `None`. See `Servable`.
        num_threads: int. See `Servable`.
    """

    def __init__(
        self,
        folder: PathLike,
        max_batch_size: int | None = None,
        max_bytes: int | None = None,
        num_threads: int = 4,
    ):
        self.folder = folder
        self._limits = (max_batch_size, max_bytes, num_threads)
        # Replaced as a whole at each change: requests read without a lock.
        self._models: dict[str, dict[int, Version]] = {}
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Load what is new in the folder, and drop what is gone.

        Raises:
            FileNotFoundError: if there is no such folder.
            ValueError: if there is no model in it.
        """
        with self._lock:
            found = find_models(self.folder)
            for name, path in found.items():
                self._refresh_model(name, find_versions(path))
            self._models = {name: self._models[name] for name in found}

    def check(self) -> None:
        """Raise why a model has no version that is served, if one has none."""
        for versions in self._models.values():
            if not _available(versions):
                errors = [x.error for x in versions.values() if x.error]
                raise errors[-1]

    def names(self) -> list[str]:
        """Names of the models."""
        return sorted(self._models)

    def names_without_version(self) -> list[str]:
        """Names of the models of which no version is served."""
        models = self._models.items()
        return sorted(name for name, found in models if not _available(found))

    def versions(self, name: str) -> dict[int, Version]:
        """Return every version of a model, number to `Version`, ascending.

        Raises:
            RequestError: if there is no such model.
        """
        if name not in self._models:
            raise RequestError(
                "NOT_FOUND",
                f"The model must be one of {self.names()}. "
                f"Received: {name!r}. Ask for one of these.",
            )
        return dict(sorted(self._models[name].items()))

    def find(
        self, name: str, version: int | None = None, label: str | None = ""
    ) -> tuple[int, Version]:
        """Return the number and `Version` asked for, loaded or not.

        Raises:
            RequestError: if there is none.
        """
        _check_label(label)
        versions = self.versions(name)
        if version not in versions:
            raise _no_version(name, version, versions)
        return version, versions[version]

    def servable(
        self, name: str, version: int | None = None, label: str | None = ""
    ) -> tuple[int, Servable]:
        """Return number and `Servable` of a version, by default the latest.

        Raises:
            RequestError: if it is not served.
        """
        _check_label(label)
        versions = self.versions(name)
        available = _available(versions)
        if version is None and available:
            version = max(available)
        if version not in available:
            error = versions[version].error if version in versions else None
            raise _no_version(name, version, available, error)
        return version, available[version]

    def abort(self) -> None:
        """Abort what the models compute, and forget them."""
        models, self._models = self._models, {}
        for versions in models.values():
            for version in versions.values():
                servable = version.servable
                if version.retired is not None:
                    servable = version.retired()
                if servable is not None:
                    servable.abort()

    def _refresh_model(
        self, name: str, folders: dict[int, pathlib.Path]
    ) -> None:
        serving = None
        for number in sorted(folders, reverse=True):
            folder = folders[number]
            version = self._models.get(name, {}).get(number)
            if version is None or version.servable is None:
                version = self._load(name, number, folder, version)
            if version.servable is not None:
                serving = number
                break
        versions = {}
        for number, version in self._models.get(name, {}).items():
            if number not in folders:
                continue
            if number != serving and version.servable is not None:
                # Requests alone hold it from now on, and it ends with them.
                retired = weakref.ref(version.servable)
                version = Version(version.folder, "UNLOADING", retired=retired)
            if version.retired is not None and version.retired() is None:
                version = Version(version.folder, "END")
            versions[number] = version
        for number in folders:
            versions.setdefault(number, Version(folders[number], "END"))
        # Nothing here may hold what was replaced.
        del version
        self._models = {**self._models, name: versions}

    def _load(
        self, name: str, number: int, folder: pathlib.Path, old: Version | None
    ) -> Version:
        contents = _contents(folder)
        if old is not None and old.error and old.contents == contents:
            return old
        self._set(name, number, Version(folder, "LOADING"))
        try:
            servable = Servable(folder, *self._limits)
            replay_warmup(servable, folder)
            version = Version(folder, "AVAILABLE", servable)
        except Exception as error:
            version = Version(
                folder, "END", None, _without_frames(error), contents
            )
            print(
                f"Version {number} of {name!r} cannot be loaded: "
                f"{' '.join(str(error).split())[:500]}",
                file=sys.stderr,
                flush=True,
            )
        self._set(name, number, version)
        return version

    def _set(self, name: str, number: int, version: Version) -> None:
        versions = {**self._models.get(name, {}), number: version}
        self._models = {**self._models, name: versions}


def _available(versions: dict[int, Version]) -> dict[int, Servable]:
    return {
        number: version.servable
        for number, version in versions.items()
        if version.servable is not None
    }


def _check_label(label: str | None) -> None:
    if label:
        raise invalid(
            "This development server does not know version labels. "
            f"Received: label={label!r}. Ask for a version by its number."
        )


def _no_version(
    name: str,
    version: int | None,
    served: Iterable[int],
    error: Exception | None = None,
) -> RequestError:
    reason = "" if error is None else f", which cannot be loaded: {error}"
    return RequestError(
        "NOT_FOUND",
        f"The version of {name!r} must be one of {list(served)}. "
        f"Received: {version}{reason}. Leave it out for the latest one.",
    )


def _without_frames(error: Exception) -> Exception:
    """The error without what its frames hold: a model, half loaded."""
    one: BaseException | None = error
    while one is not None:
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return error


def _contents(folder: pathlib.Path) -> tuple[tuple[str, int, int], ...]:
    try:
        return tuple(
            (str(path), stat.st_size, stat.st_mtime_ns)
            for path in sorted(folder.rglob("*"))
            for stat in [path.stat()]
        )
    except FileNotFoundError:  # it is being written or deleted
        return ()
