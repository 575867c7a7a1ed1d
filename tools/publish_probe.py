"""Puts what a linear probe found into a preset's metadata and card.

    keras-pixel probe pixelcnn_mnist mnist -o out/probe --num-train 2000
    python -m tools.publish_probe out/probe mnist --hardware "1 CPU core"

Run it from the root of a checkout; then run `python -m tools.generate_tables`,
which writes the card. Publishing other weights drops the numbers again.
"""

import argparse
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_pixel import files
from tools import cards


def entry(found: dict[str, Any], data: str, hardware: str) -> dict[str, Any]:
    """What the metadata say of a probe.

    Args:
        found: dict, of `probe.json`.
        data: str. The data set's name, as it was given to the command.
        hardware: str.
    """
    best = found["best"]
    accuracies = {
        probe["weights"]: probe["accuracy"]
        for probe in found["probes"]
        if probe["layer"] in (best["layer"], "pixels")
    }
    pooling = found["pooling"]
    options = {
        "num-train": found["num_train"],
        "num-test": found["num_test"],
        "pooling": "x".join(map(str, pooling))
        if isinstance(pooling, list)
        else pooling,
        "seed": found["seed"],
    }
    told = " ".join(f"--{key} {value}" for key, value in options.items())
    return {
        "layer": best["layer"],
        "accuracy": best["accuracy"],
        "accuracy_of_random_weights": accuracies.get("random"),
        "accuracy_of_pixels": accuracies["none"],
        "num_train": found["num_train"],
        "num_test": found["num_test"],
        "train": found["train"],
        "test": found["test"],
        "hardware": hardware,
        "command": f"keras-pixel probe {found['model']} {data} -o probe "
        f"{told} --download",
    }


def publish(
    folder: pathlib.Path, data: str, hardware: str, zoo: pathlib.Path
) -> pathlib.Path:
    """Writes the metadata of the preset that was probed; returns its path."""
    text = (folder / "probe.json").read_text(encoding="utf-8")
    found = json.loads(text)
    path = zoo / found["model"] / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata["measured"]["probe"] = entry(found, data, hardware)
    with files.atomic_file(path) as file:
        file.write(files.to_json(metadata).encode())
    return path


def main(args: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="of the probe")
    parser.add_argument("data", help="the data set, as the probe was given it")
    parser.add_argument("--hardware", required=True, help='"2 CPU cores"')
    arguments = parser.parse_args(args)
    print(
        publish(arguments.folder, arguments.data, arguments.hardware, cards.ZOO)
    )


if __name__ == "__main__":
    main()
