"""Which model, which versions and which machine wrote a compressed file."""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import re
from typing import Any

import numpy as np

from keras_pixel import __version__
from keras_pixel import files
from keras_pixel.sampling.coding import environment


def check_same(
    model: Any, header: dict[str, Any], path: files.PathLike, any_version: bool
) -> None:
    """Refuse a file by another model, or by other programs."""
    expected, received = header["model"], describe(model)
    # A preset may be renamed.
    keys = [
        k for k in received if k != "name" and expected.get(k) != received[k]
    ]
    if keys:
        raise ValueError(
            "A compressed file must be read with the model that wrote it. "
            f"Received: model={model.name!r}, with another {', '.join(keys)} "
            f"than {expected.get('name')!r}, which wrote {str(path)!r}. Give "
            "that model, of the same weights."
        )
    written, here = header["program"], versions()
    other = [k for k in here if written.get(k) != here[k]]
    if other and not any_version:
        raise ValueError(
            "A compressed file must be read with the versions that wrote it, "
            "or probabilities may differ in their last bits. Received: "
            + ", ".join(f"{k} {here[k]} (was {written.get(k)})" for k in other)
            + f". Install those for {str(path)!r}, or try with "
            "`any_version=True` (--any-version): the checksums still tell."
        )


def describe(model: Any) -> dict[str, Any]:
    """What tells one model from another."""
    return {
        "name": model.name,
        "image_shape": list(model.image_shape),
        "num_levels": model.num_levels,
        "dtype": ",".join(sorted({x.dtype_policy.name for x in model.layers})),
        "sha256": _fingerprint(model),
    }


def _fingerprint(model: Any) -> str:
    digest = hashlib.sha256()
    config = model.get_config()
    # The config of a graph of one's own numbers its layers anew each time.
    arguments = {} if "layers" in config else config
    arguments = {k: x for k, x in arguments.items() if k != "name"}
    text = json.dumps(
        [type(model).__name__, arguments],
        sort_keys=True,
        default=lambda value: type(value).__name__,
    )
    digest.update(text.encode())
    for values in model.get_weights():
        digest.update(f"{values.dtype}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    return {
        "keras_pixel": __version__,
        **environment(),
        "constriction": importlib.metadata.version("constriction"),
    }


def machine() -> str:
    """The processor, and how many of it this process may use."""
    name = platform.processor() or platform.machine()
    cpus = pathlib.Path("/proc/cpuinfo")
    if cpus.is_file():
        text = cpus.read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"model name\s*: (.*)", text):
            name = found[1]
    number = os.cpu_count()
    if hasattr(os, "sched_getaffinity"):
        number = len(os.sched_getaffinity(0))
    return f"{platform.system()}, {number} × {name}"
