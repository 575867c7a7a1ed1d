"""Trains small models of the examples and publishes them.

    python -m tools.publish_examples pixellstm_obstacle --hardware "1 CPU core"
    python -m tools.publish_examples pixellstm_obstacle --evaluate

The data are made by the example or come with Python, so there is no recipe:
the first command trains, measures held-out data and writes the preset as
`tools.publish` does, the second measures what is published. The pictures need
matplotlib, `pip install ".[plot]"`. Then run `python -m tools.generate_tables`.
"""

import argparse
import io
import pathlib
import platform
import sys
import textwrap
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

import keras_pixel
from examples import policies
from examples import policy_obstacle
from examples import sequences
from examples import text_bytes
from keras_pixel import tasks
from tools import cards
from tools import publish

# So that a command repeats its numbers.
_SEED = 0


class Docstrings:
    """A dilated network over bytes, on the standard library's docstrings."""

    length = 256
    filters = 96
    steps = 1500
    batch_size = 8
    modules = None  # all of them

    source = "docstrings"
    description = (
        "Text by bytes: dilated causal convolutions in the manner of WaveNet "
        "(van den Oord et al., 2016, https://arxiv.org/abs/1609.03499), with "
        "the gates of PixelCNN++. A level is a byte of UTF-8, and bits/dim "
        "are bits per byte. A prompt is the known beginning of an image."
    )
    example = "examples/text_bytes.py"
    usage = (
        "import keras_pixel",
        "import numpy as np",
        "",
        'model = keras_pixel.load("wavenet_docstrings")',
        'prompt = np.frombuffer(b"Return the ", "uint8")',
        'images = np.zeros((1, *model.image_shape), "uint8")',
        "images[0, 0, : len(prompt), 0] = prompt",
        "known = np.arange(images.shape[2])[None] < len(prompt)",
        "images = model.complete(images, known, seed=0, temperature=0.7)",
        "print(model.bits_per_dim(images))",
        'print(images[0, 0, :, 0].astype("uint8").tobytes().decode())',
    )
    samples = {
        "num_images": len(text_bytes.PROMPTS),
        "seed": _SEED,
        "shown": f"{len(text_bytes.PROMPTS)} texts",
        "caption": "The first words are given, the others drawn at a "
        "temperature of 0.7; none left out.",
    }

    def __init__(self) -> None:
        self.train_bytes, self.test_bytes = text_bytes.docstrings(self.modules)
        self.texts = sequences.windows(self.test_bytes, self.length)

    def train(self) -> Any:
        keras.utils.set_random_seed(_SEED)
        model = sequences.dilated_network(
            self.length, self.filters, text_bytes.DILATIONS
        )
        sequences.train(
            model, self.train_bytes, self.length, self.steps, self.batch_size
        )
        return model

    def trained_on(self) -> str:
        return (
            f"{len(self.train_bytes):,} bytes of the other modules, in texts "
            "from anywhere"
        )

    def test_data(self) -> dict[str, np.ndarray]:
        return {"images": self.texts}

    def dataset(self) -> dict[str, str]:
        version = platform.python_version()
        return {
            "noun": "texts",
            "description": f"{len(self.texts):,} texts of {self.length} bytes, "
            f"the docstrings of every tenth module of Python {version}'s "
            "standard library; the others were trained on. Nothing is known "
            "before the first byte of a text",
            "note": "The docstrings are those of one version of Python: "
            "another gives other texts and other numbers. Some docstrings of "
            "the test modules stand in training modules, too; LZMA finds these "
            "again.",
            "licence": "It learned from docstrings of Python, Copyright © "
            "2001–2023 Python Software Foundation, All Rights Reserved, under "
            "the [PSF License Agreement and the licences of incorporated "
            "software](https://docs.python.org/3/license.html), which allow "
            "derivative works. The docstrings are not part of this folder; "
            "what is drawn may repeat pieces of them.",
        }

    def beside(self, model: Any) -> dict[str, str]:
        """Rows of the card, next to the likelihood."""
        single = sequences.unigram_bits(self.train_bytes, self.texts)
        lzma = text_bytes.lzma_bits(self.train_bytes, self.test_bytes)
        return {
            "bits per byte, frequencies of single bytes": f"{single:.3f}",
            "bits per byte, LZMA after the training texts": f"{lzma:.3f}",
        }

    def draw(self, model: Any, figure: Any) -> None:
        texts = text_bytes.complete(model, text_bytes.PROMPTS, _SEED)
        for axes, text in zip(figure.subplots(2, 2).flat, texts, strict=True):
            text = "".join(
                x if x.isascii() and x.isprintable() or x == "\n" else "�"
                for x in text
            )
            lines = [textwrap.fill(line, 64) for line in text.split("\n")]
            axes.text(
                *(0, 1, "\n".join(lines)),
                family="monospace",
                fontsize=6,
                in_layout=False,
                parse_math=False,
                verticalalignment="top",
            )
            axes.axis("off")


class Obstacle:
    """A policy that passes an obstacle on the left or on the right."""

    demonstrations = 1000
    units = 64
    steps = 2000
    batch_size = policies.BATCH_SIZE
    episodes = 500

    source = "obstacle"
    description = (
        "A policy: the turn of a car, and the way that is then driven, given "
        "where it is and where it looks. Demonstrators pass the obstacle on "
        "the left or on the right, by a throw of a coin. Bins of the actions "
        "are saved with the model; `tasks.Policy` draws actions from it."
    )
    example = "examples/policy_obstacle.py"
    usage = (
        "import keras_pixel",
        "from keras_pixel import tasks",
        "",
        'policy = tasks.Policy(keras_pixel.load("pixellstm_obstacle"))',
        "# Place, and cosine and sine of the heading.",
        "seen = [-1.0, 0.0, 1.0, 0.0]",
        "print(policy.act(seen, seed=0))  # turn and way",
        "print(policy.log_prob(seen, [0.0, 0.35]))  # nats of their bins",
    )
    samples = {
        "num_images": 40,
        "seed": _SEED,
        "shown": "40 episodes",
        "caption": "The first 40 of the episodes that are counted below, none "
        "left out: blue reached the goal, orange hit the obstacle or a wall.",
    }

    def __init__(self) -> None:
        _, self.observations, self.actions = policy_obstacle.demonstrations(
            self.demonstrations, seed=_SEED
        )
        # Other beginnings, other throws of the coin.
        _, self.test_observations, self.test_actions = (
            policy_obstacle.demonstrations(self.demonstrations, seed=_SEED + 1)
        )

    def train(self) -> Any:
        policy = policy_obstacle.autoregressive_policy(self.units)
        policies.train(
            policy.model,
            {
                "images": policy.levels(self.actions),
                "condition": self.observations,
            },
            None,
            self.steps,
        )
        return policy.model

    def trained_on(self) -> str:
        return (
            f"{len(self.actions):,} actions of {self.demonstrations:,} "
            f"demonstrations, of seed {_SEED}"
        )

    def test_data(self) -> dict[str, np.ndarray]:
        return {
            "images": policy_obstacle.discretizer().transform(
                self.test_actions
            )[:, None, :, None],
            "condition": self.test_observations,
        }

    def dataset(self) -> dict[str, str]:
        return {
            "noun": "actions",
            "condition": "observations",
            "description": f"{len(self.test_actions):,} actions of "
            f"{self.demonstrations:,} other demonstrations, of seed "
            f"{_SEED + 1}",
            "note": "The corridor, the obstacle and the car are those of the "
            "example, and the policy knows no others.",
            "licence": "The demonstrations are made by the example, which is "
            "part of this project.",
        }

    def beside(self, model: Any) -> dict[str, str]:
        """Rows of the card, next to the likelihood."""
        outcomes = self._drive(model)[1]
        return {
            f"episodes that end with “{name}”, of {self.episodes}": str(count)
            for name, count in policy_obstacle.count(outcomes).items()
        }

    def draw(self, model: Any, figure: Any) -> None:
        policy_obstacle.draw_trajectories(
            figure.subplots(), "pixellstm_obstacle", *self._drive(model)
        )

    def _drive(self, model: Any) -> tuple[np.ndarray, np.ndarray]:
        """Trajectories and outcomes of the same episodes as in the example."""
        random = np.random.default_rng(_SEED)
        starts = policy_obstacle.starts(self.episodes, random)
        return policy_obstacle.drive(tasks.Policy(model).act, starts, random)


Example = Docstrings | Obstacle
# Name of the preset: what is published under it.
EXAMPLES: dict[str, type[Example]] = {
    "pixellstm_obstacle": Obstacle,
    "wavenet_docstrings": Docstrings,
}


def parse_arguments(args: Sequence[str] | None = None) -> argparse.Namespace:
    parser = publish.make_parser(__doc__.splitlines()[0], needed=False)
    parser.add_argument("name", choices=EXAMPLES)
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="measure the published preset; train and write nothing",
    )
    arguments = parser.parse_args(args)
    if not (arguments.evaluate or arguments.hardware):
        parser.error("--hardware is needed to publish, such as '2 CPU cores'")
    return arguments


def evaluate(
    arguments: argparse.Namespace, zoo: pathlib.Path
) -> dict[str, Any]:
    """Measures a published preset once more."""
    one = EXAMPLES[arguments.name]()
    model = keras_pixel.load(zoo / arguments.name)
    result = publish.measure(
        arguments.name, model, one.test_data(), arguments.batch_size
    )
    return {**result, **one.beside(model)}


def compute(arguments: argparse.Namespace, zoo: pathlib.Path) -> pathlib.Path:
    """Trains, measures and writes one preset; returns the folder."""
    one = EXAMPLES[arguments.name]()
    start = time.perf_counter()
    model = one.train()
    minutes = round((time.perf_counter() - start) / 60, 1)
    model, dtype, measured = publish.measure_rounded(
        arguments, model, one.test_data()
    )
    command = f"python -m tools.publish_examples {arguments.name}"
    measured["command"] = f"{command} --evaluate"
    measured["beside"] = one.beside(model)
    known = {
        "description": one.description,
        "usage": list(one.usage),
        "dataset": {
            "name": one.source,
            "split": "test",
            "num_images": measured["num_images"],
            **one.dataset(),
        },
        "measured": measured,
        "training": {
            "example": one.example,
            "command": f"{command} --hardware ...",
            "hardware": arguments.hardware,
            "minutes": minutes,
            "step": one.steps,
            "steps": one.steps,
            "images_per_step": one.batch_size,
            "precision": "float32",
            "seed": _SEED,
            "data": one.trained_on(),
        },
        "paper": None,
        "samples": one.samples,
    }
    return publish.store(
        arguments, zoo, model, dtype, known, {}, lambda: picture(one, model)
    )


def picture(one: Example, model: Any) -> bytes:
    """What a model draws, as PNG bytes."""
    figure = sequences.figure((7, 4))
    if figure is None:
        raise ValueError(
            "A preset has a picture, which needs matplotlib. Received: no "
            'such package. Install it with `pip install ".[plot]"`.'
        )
    one.draw(model, figure)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def main(args: Sequence[str] | None = None) -> None:
    arguments = parse_arguments(args)
    keras.config.set_dtype_policy("float32")
    try:
        if arguments.evaluate:
            for what, value in evaluate(arguments, cards.ZOO).items():
                print(f"{what}: {value}")
        else:
            print(compute(arguments, cards.ZOO), flush=True)
    except (ValueError, OSError) as error:
        print("Error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
