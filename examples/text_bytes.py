"""Text by bytes: a language model of the standard library's docstrings.

    python -m examples.text_bytes --output out/text

Each byte of UTF-8 is a level, and a text an image of one row. The docstrings
of every tenth module are for testing, all others for training. To prompt the
model is to complete an image: the first bytes are known, the others are drawn.

It prints bits per byte on the test texts, beside those of the frequencies of
single bytes and of LZMA (the test texts compressed together with the training
texts, less these alone), and writes the completions, the preset and a plot.
"""

import ast
import lzma
import pathlib
import sysconfig

import numpy as np

from examples import sequences
from keras_pixel.files import atomic_file

DILATIONS = [1, 2, 4, 8, 16, 32, 64, 1, 2, 4, 8, 16]
PROMPTS = (
    "Return the ",
    "Raise ValueError if ",
    "This module provides ",
    "A class that ",
)


def main(arguments=None):
    parser = sequences.arguments_of(__doc__.splitlines()[0], 256, 600, 96)
    parser.add_argument("--modules", type=int, help="only so many of them")
    options = parser.parse_args(arguments)
    train, test = docstrings(options.modules)
    print(f"{len(train):,} bytes for training, {len(test):,} for testing.")
    length = options.length
    model = sequences.dilated_network(length, options.filters, DILATIONS)
    print(
        f"{model.count_params():,} parameters; a byte sees the "
        f"{sequences.receptive_field(DILATIONS)} before it."
    )
    sequences.train(model, train, length, options.steps)
    images = sequences.windows(test, length)[:200]
    nats = model.log_prob(images, reduce="sub_pixels")
    bits = -nats[:, 0, :, 0] / np.log(2)  # (windows, length)
    found = {
        "single bytes": sequences.unigram_bits(train, images),
        "LZMA": lzma_bits(train, test),
        "this model": float(bits.mean()),
    }
    for name, value in found.items():
        print(f"{name}: {value:.3f} bits per byte")
    texts = complete(model, PROMPTS, options.seed)
    text = "\n\n----\n\n".join(texts) + "\n"
    print(text)
    with atomic_file(options.output / "completions.txt") as file:
        file.write(text.encode())
    model.save_preset(options.output / "preset", overwrite=True)
    draw(bits.mean(axis=0), found, options.output / "bits.png")
    return found


def docstrings(most=None):
    """Docstrings of the standard library, as bytes, in two parts."""
    folder = pathlib.Path(sysconfig.get_path("stdlib"))
    paths = [
        path
        for path in sorted(folder.rglob("*.py"))
        if not {"site-packages", "test", "tests"} & set(path.parts)
    ]
    parts: dict[str, list[str]] = {"train": [], "test": []}
    for number, path in enumerate(paths[:most]):
        part = parts["test" if number % 10 == 0 else "train"]
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                part.append(ast.get_docstring(node) or "")
    texts = [
        "\n\n".join(filter(None, part)).encode() for part in parts.values()
    ]
    return [np.frombuffer(text, "uint8") for text in texts]


def lzma_bits(train, test):
    """Bits per byte of the test text after the training text."""
    alone = len(lzma.compress(train.tobytes(), preset=9))
    both = len(lzma.compress(train.tobytes() + test.tobytes(), preset=9))
    return 8 * (both - alone) / len(test)


def complete(model, prompts, seed, temperature=0.7):
    """What the model makes of the beginning of a text.

    Args:
        model: `PixelModel` of `(1, length, 1)` images.
        prompts: list of str, shorter than `length` bytes.
        seed: int.
        temperature: float. Below 1 the texts are more probable.

    Returns:
        List of str.
    """
    length = model.image_shape[1]
    images = np.zeros((len(prompts), *model.image_shape), "uint8")
    known = np.zeros(images.shape[:3], bool)
    for i, prompt in enumerate(prompts):
        start = np.frombuffer(prompt.encode(), "uint8")[:length]
        images[i, 0, : len(start), 0] = start
        known[i, 0, : len(start)] = True
    drawn = model.complete(images, known, seed=seed, temperature=temperature)
    return [row.tobytes().decode(errors="replace") for row in drawn]


def draw(bits, found, path):
    """Bits per byte against the place in the window."""
    figure = sequences.figure((6, 3))
    if figure is None:
        return
    axes = figure.add_subplot(
        xlabel="bytes known before", ylabel="bits per byte"
    )
    axes.plot(bits, color="#1f6fb2", linewidth=1)
    names = ("single bytes", "LZMA")
    for name, color in zip(names, ("#888888", "#d9660b"), strict=True):
        axes.axhline(found[name], color=color, linestyle="--", label=name)
    axes.axhline(found["this model"], color="#1f6fb2", label="this model, mean")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with atomic_file(path) as file:
        figure.savefig(file, format="png")


if __name__ == "__main__":
    main()
