"""Presets on hubs: fetched from one, and pushed to one.

`hf://owner/name` is a repository of the Hugging Face Hub, which may be followed
by `@revision`; `kaggle://owner/model/keras/variation` is a model of Kaggle.
Files come through the hubs' own packages, with their caches, their tokens and
their environment variables (`HF_HOME`, `HF_TOKEN`, `HF_HUB_OFFLINE`). Only the
files that the preset's metadata lists are fetched, and their hashes are checked
like those of any preset; nothing is ever unpickled.
"""

import os
import pathlib
import re
import shutil
import tempfile
from typing import Any

import keras

from keras_pixel import files
from keras_pixel.files import PathLike
from keras_pixel.presets import folders
from keras_pixel.presets import saving

_HF, _KAGGLE = "hf://", "kaggle://"
_CARD = "README.md"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_PIPELINE = "unconditional-image-generation"
_UNITS = {"bits_per_dim": "bits/dim", "nats": "nats per image"}


def is_address(name: Any) -> bool:
    """Whether a name means a preset on a hub."""
    return isinstance(name, str) and name.startswith((_HF, _KAGGLE))


def fetch(address: str) -> pathlib.Path:
    """Bring a preset from a hub to this machine, unless it is here.

    Args:
        address: see `is_address`.

    Returns:
        Folder of the preset.

    Raises:
        ImportError: if the hub's package is not installed.
        ValueError: for an address that is none, or leads to no preset.
        OSError: if the hub cannot be reached, and the files are not here.
    """
    if address.startswith(_KAGGLE):
        return _from_kaggle(address)
    return _from_hugging_face(address)


def _from_hugging_face(address: str) -> pathlib.Path:
    repository, _, revision = address.removeprefix(_HF).partition("@")
    _check_repository(repository, address)
    hub = _hugging_face()
    from huggingface_hub import errors

    def get(revision: str | None, names: list[str]) -> pathlib.Path:
        found = hub.snapshot_download(
            repository, revision=revision, allow_patterns=names
        )
        return pathlib.Path(found)

    try:
        snapshot = get(revision or None, [folders.METADATA_FILE])
        if not (snapshot / folders.METADATA_FILE).is_file():
            raise _no_preset(address, f"without `{folders.METADATA_FILE}`")
        names = _listed(snapshot / folders.METADATA_FILE, address)
        # Of the same commit: the folder is named after it.
        snapshot = get(snapshot.name, [folders.METADATA_FILE, *names])
    except (
        errors.RepositoryNotFoundError,
        errors.RevisionNotFoundError,
    ) as error:
        raise _no_preset(address, "which the hub does not have") from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError) as error:
        raise _unreachable(address, error) from error
    return _as_files(snapshot, _cache() / "hf" / repository / snapshot.name)


def _from_kaggle(address: str) -> pathlib.Path:
    handle = address.removeprefix(_KAGGLE)
    if handle.count("/") < 3:
        raise ValueError(
            "An address of Kaggle must be "
            "'kaggle://owner/model/keras/variation'. Received: "
            f"{address!r}. Copy it from the model's page."
        )
    try:
        import kagglehub
    except ImportError as error:
        raise ImportError(
            "Presets of Kaggle need kagglehub. Received: no such package. "
            'Install it with `pip install "keras-pixel[hub]"`.'
        ) from error
    try:
        folder = pathlib.Path(kagglehub.model_download(handle))
    except Exception as error:  # its own, and those of requests
        raise _unreachable(address, error) from error
    if not (folder / folders.METADATA_FILE).is_file():
        raise _no_preset(address, f"without `{folders.METADATA_FILE}`")
    return folder


def push_to_hub(
    model: keras.Model | PathLike,
    repo_id: str,
    *,
    metadata: dict[str, Any] | None = None,
    dtype: str = "float32",
    private: bool | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
    token: str | None = None,
) -> str:
    """Upload a preset to the Hugging Face Hub.

    The card says how to load it, and carries what the hub shows beside it: the
    licence, and the measured numbers as a `model-index`.

    Args:
        model: a model, which is saved as a preset first; or the name or folder
            of a preset, which is uploaded with its recipe and samples.
        repo_id: "owner/name". It is made if it is not there.
        metadata, dtype: of a model, see `save_preset`.
        private: bool. Whether a new repository is private. Defaults to
            `None`: as the owner's settings say.
        revision: branch, which must exist. Defaults to `None`: main.
        commit_message: str. Defaults to `None`: one that names the preset.
        token: str. Defaults to `None`: that of `hf auth login`, or
            `HF_TOKEN`.

    Returns:
        The address with its commit, "hf://owner/name@…", which `load` takes.

    Raises:
        ImportError: if huggingface_hub is not installed.
        ValueError: for another `repo_id`, or if the hub refuses it.
        OSError: if the hub cannot be reached.
    """
    _check_repository(repo_id, repo_id)
    hub = _hugging_face()
    from huggingface_hub import errors

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / repo_id.split("/")[1]
        if isinstance(model, keras.Model):
            saving.save_preset(model, folder, metadata=metadata, dtype=dtype)
        else:
            _copy_preset(model, folder)
        _write_card(folder, repo_id)
        api = hub.HfApi(token=token)
        try:
            api.create_repo(repo_id, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                revision=revision,
                commit_message=commit_message or f"Preset {folder.name}",
            )
        except errors.HfHubHTTPError as error:
            raise ValueError(
                "The hub must let you write to the repository. Received: "
                f"{repo_id!r}, and {' '.join(str(error).split())[:300]} Log in "
                "by `hf auth login`, or give `token`."
            ) from error
        except OSError as error:
            raise _unreachable(repo_id, error) from error
    return f"{_HF}{repo_id}@{commit.oid}"


# === Files ===


def _cache() -> pathlib.Path:
    """Folder of the presets that were fetched, as files of their own."""
    place = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(place).expanduser() / "keras_pixel"


def _listed(path: pathlib.Path, address: str) -> list[str]:
    """Names of the files that a preset's metadata lists."""
    metadata = files.read_json(
        path, f"`{folders.METADATA_FILE}` of {address!r}", "Push it again."
    )
    listed = metadata.get("files") if isinstance(metadata, dict) else None
    if not isinstance(listed, dict) or not listed:
        raise _no_preset(address, "whose metadata lists no files")
    for name in listed:
        # The names are patterns for the hub's package.
        if not folders.is_plain(name) or set(name) & set("*?[]"):
            raise ValueError(
                "A preset's files must have plain names. Received: "
                f"{name!r} in {address!r}. Do not load this preset unless you "
                "made it yourself; then push it again."
            )
    return list(listed)


def _as_files(snapshot: pathlib.Path, place: pathlib.Path) -> pathlib.Path:
    """A snapshot's files without links: presets never follow them."""
    names = sorted(path.name for path in snapshot.iterdir() if path.is_file())
    if place.is_dir() and {x.name for x in place.iterdir()} >= set(names):
        return place
    with files.atomic_folder(place, replace=True) as new:
        for name in names:
            source = (snapshot / name).resolve()
            try:
                os.link(source, new / name)
            except OSError:  # another disk
                shutil.copyfile(source, new / name)
    return place


def _copy_preset(name_or_path: PathLike, place: pathlib.Path) -> None:
    """Copy the files that a preset lists, once they are checked."""
    source = folders.find(name_or_path)
    metadata = folders.read_metadata(source)
    folders.check_files(source, metadata)
    place.mkdir()
    for name in (folders.METADATA_FILE, *metadata["files"]):
        shutil.copyfile(source / name, place / name)


def _write_card(folder: pathlib.Path, repo_id: str) -> None:
    """Put what the hub reads at the top of a preset's card."""
    metadata = folders.read_json(folder, folders.METADATA_FILE)
    path = folder / _CARD
    text = path.read_text(encoding="utf-8") if path.is_file() else None
    if text is None:
        text = _plain_card(metadata, repo_id)
    text = f"---\n{_card_data(metadata, repo_id)}\n---\n\n{text}"
    path.write_text(text, encoding="utf-8")
    metadata["files"][_CARD] = {
        "bytes": path.stat().st_size,
        "sha256": files.sha256(path),
    }
    (folder / folders.METADATA_FILE).write_text(
        files.to_json(metadata), encoding="utf-8"
    )


def _plain_card(metadata: dict[str, Any], repo_id: str) -> str:
    name = repo_id.split("/")[1]
    shape = "×".join(map(str, metadata.get("image_shape", ())))
    about = metadata.get("description") or (
        f"A {metadata['class_name']} of images of {shape} in "
        f"{metadata.get('num_levels')} levels."
    )
    return (
        f"# {name}\n\n{about}\n\n```python\nimport keras_pixel\n\n"
        f'model = keras_pixel.load("{_HF}{repo_id}")\n'
        "images = model.sample(16, seed=0)\n```\n"
    )


def _card_data(metadata: dict[str, Any], repo_id: str) -> str:
    """The card's front matter, YAML."""
    from huggingface_hub import EvalResult
    from huggingface_hub import ModelCardData

    measured = metadata.get("measured") or {}
    dataset = metadata.get("dataset") or {}
    results = [
        EvalResult(
            task_type=_PIPELINE,
            dataset_type=dataset["name"],
            dataset_name=dataset["name"],
            dataset_split=dataset.get("split"),
            metric_type=key,
            metric_name=unit,
            metric_value=measured[key],
        )
        for key, unit in _UNITS.items()
        if key in measured and "name" in dataset
    ]
    licence = metadata.get("licence")
    data = ModelCardData(
        library_name="keras",
        license=licence.lower() if licence else None,
        pipeline_tag=_PIPELINE,
        tags=["keras_pixel", "autoregressive"],
        model_name=repo_id.split("/")[1] if results else None,
        eval_results=results or None,
    )
    return data.to_yaml()


# === Errors ===


def _hugging_face() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            "Presets of the Hugging Face Hub need huggingface_hub. Received: "
            "no such package. Install it with "
            '`pip install "keras-pixel[hub]"`.'
        ) from error
    return huggingface_hub


def _check_repository(repository: str, address: str) -> None:
    if not _REPOSITORY.fullmatch(repository):
        raise ValueError(
            "A repository of the Hugging Face Hub must be 'owner/name'. "
            f"Received: {address!r}. Write for example "
            "'hf://owner/pixelcnn_faces'."
        )


def _no_preset(address: str, why: str) -> ValueError:
    return ValueError(
        "An address must lead to a preset, as `model.push_to_hub` uploads it. "
        f"Received: {address!r}, {why}. Look at the repository's page."
    )


def _unreachable(address: str, error: Exception) -> OSError:
    message = " ".join(str(error).split())
    return OSError(
        "The hub must be reachable, or the preset be on this machine. "
        f"Received: {address!r}, and {type(error).__name__}: "
        f"{message[:300]} Check the address and the network."
    )
