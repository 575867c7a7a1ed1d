"""The texts that are generated from a preset's metadata: cards and tables.

Nothing here is written by hand twice: a card and the tables say what
`metadata.json` says, and `tests/test_zoo.py` compares them.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
ZOO = ROOT / "zoo"
BEGIN, END = "<!-- zoo:begin -->", "<!-- zoo:end -->"
HEADINGS = ("Use", "Numbers", "Training", "Limits", "Licence")
UNITS = {"bits_per_dim": "bits/dim", "nats": "nats per image"}
DIGITS = {"bits_per_dim": 3, "nats": 2}

# What the papers give, for the same architecture and data set. Keys: class
# (and which kind of it, where there are several), data set. Values: number,
# unit, source.
_VAN_DEN_OORD_A = {
    "title": "van den Oord et al., 2016, Pixel Recurrent Neural Networks",
    "url": "https://arxiv.org/abs/1601.06759",
}
_VAN_DEN_OORD_B = {
    "title": "van den Oord et al., 2016, Conditional Image Generation with "
    "PixelCNN Decoders",
    "url": "https://arxiv.org/abs/1606.05328",
}
_PARMAR = {
    "title": "Parmar et al., 2018, Image Transformer",
    "url": "https://arxiv.org/abs/1802.05751",
}
PAPERS = {
    ("PixelCNN", "cifar10"): {
        "value": 3.14,
        "unit": "bits_per_dim",
        **_VAN_DEN_OORD_A,
    },
    ("PixelCNN", "binarized_mnist"): {
        "value": 81.30,
        "unit": "nats",
        **_VAN_DEN_OORD_A,
    },
    ("GatedPixelCNN", "cifar10"): {
        "value": 3.03,
        "unit": "bits_per_dim",
        **_VAN_DEN_OORD_B,
    },
    ("PixelRNN row_lstm", "cifar10"): {
        "value": 3.07,
        "unit": "bits_per_dim",
        **_VAN_DEN_OORD_A,
    },
    ("PixelRNN row_lstm", "binarized_mnist"): {
        "value": 80.54,
        "unit": "nats",
        **_VAN_DEN_OORD_A,
    },
    ("PixelRNN diagonal_bilstm", "cifar10"): {
        "value": 3.00,
        "unit": "bits_per_dim",
        **_VAN_DEN_OORD_A,
    },
    ("PixelRNN diagonal_bilstm", "binarized_mnist"): {
        "value": 79.20,
        "unit": "nats",
        **_VAN_DEN_OORD_A,
    },
    ("ImageTransformer local_1d", "cifar10"): {
        "value": 2.90,
        "unit": "bits_per_dim",
        **_PARMAR,
    },
    ("PixelCNNPlusPlus", "cifar10"): {
        "value": 2.92,
        "unit": "bits_per_dim",
        "title": "Salimans et al., 2017, PixelCNN++",
        "url": "https://arxiv.org/abs/1701.05517",
    },
    ("PixelSNAIL", "cifar10"): {
        "value": 2.85,
        "unit": "bits_per_dim",
        "title": "Chen et al., 2018, PixelSNAIL",
        "url": "https://proceedings.mlr.press/v80/chen18h.html",
    },
}


def paper(model: Any, dataset: str) -> dict[str, Any] | None:
    """The paper's figure for a model's architecture, or `None`."""
    names = [type(model).__name__]
    for kind in ("variant", "attention"):
        if hasattr(model, kind):
            names.append(getattr(model, kind))
    return PAPERS.get((" ".join(names), dataset))


def read_all(zoo: pathlib.Path | None = None) -> dict[str, dict[str, Any]]:
    """Metadata of every preset in the zoo: name -> dict, sorted."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((zoo or ZOO).glob("*/metadata.json"))
    }


def number(value: float, unit: str) -> str:
    return f"{value:.{DIGITS[unit]}f}"


def headline(metadata: dict[str, Any]) -> tuple[float, str]:
    """The measured number by which presets are compared, and its unit."""
    unit = metadata["measured"]["headline"]
    return metadata["measured"][unit], unit


def is_baseline(metadata: dict[str, Any]) -> bool:
    """Whether the weights are computed, and there is no recipe."""
    return "closed_form" in metadata["training"]


def is_example(metadata: dict[str, Any]) -> bool:
    """Whether an example of this project trained it, without a recipe."""
    return "example" in metadata["training"]


def shape_text(metadata: dict[str, Any]) -> str:
    return "×".join(str(size) for size in metadata["image_shape"])


def card(metadata: dict[str, Any]) -> str:
    """The text of a preset's README.md."""
    name = metadata["name"]
    sections = {
        "Use": _use(metadata),
        "Numbers": _numbers(metadata),
        "Training": _training(metadata),
        "Limits": _limits(metadata),
        "Licence": _licence(metadata),
    }
    samples = metadata["samples"]
    shown = samples.get("shown", f"{samples['num_images']} samples")
    lines = [
        f"# {name}",
        "",
        f"{metadata['class_name']} on {metadata['dataset']['name']}: "
        f"{shape_text(metadata)}, {metadata['num_levels']} levels, "
        f"{metadata['num_parameters']:,} parameters.",
        *(["", metadata["description"]] if metadata["description"] else []),
        "",
        f"![{shown} of {name}](samples.png)",
        "",
        _of_samples(metadata),
    ]
    for heading in HEADINGS:
        lines += ["", f"## {heading}", "", *sections[heading]]
    return "\n".join(lines) + "\n"


def _of_samples(metadata: dict[str, Any]) -> str:
    samples, classes = metadata["samples"], metadata.get("num_classes")
    count, seed = samples["num_images"], samples["seed"]
    if "caption" in samples:
        return samples["caption"]
    if classes is None and len(metadata.get("orders", ())) < 2:
        return (
            f"{count} samples, none left out: "
            f"`model.sample({count}, seed={seed})`."
        )
    if classes is None:
        columns = -(-count // len(metadata["orders"]))
        return (
            f"{count} samples, a row of each order, none left out: "
            f"`model.sample({count}, order=np.arange({count}) // {columns}, "
            f"seed={seed})`."
        )
    rows = -(-count // classes)
    return (
        f"{count} samples, a row of each class, none left out: "
        f"`model.sample(labels=np.arange({count}) // {rows}, seed={seed})`."
    )


def _use(metadata: dict[str, Any]) -> list[str]:
    if "usage" in metadata:
        return ["```python", *metadata["usage"], "```"]
    shape = ", ".join(str(size) for size in metadata["image_shape"])
    told = ""
    if metadata.get("num_classes") is not None:
        names = metadata.get("class_names") or [0]
        told = f", labels={json.dumps(names[-1])}"
    drawn = f"images = model.sample(4{told}, seed=0)  # "
    said = f"integer levels (4, {shape})"
    if len(drawn + said) > 80:  # as the formatter would have it
        said = f"levels (4, {shape})"
    return [
        "```python",
        "import keras_pixel",
        "",
        f'model = keras_pixel.load("{metadata["name"]}")',
        drawn + said,
        f"print(model.bits_per_dim(images{told}))",
        *(
            ["print(model.classify(images))  # p(class | image)"]
            if told
            else []
        ),
        *(
            ['print(model.log_prob(images, order="mean"))  # over all orders']
            if len(metadata.get("orders", ())) > 1
            else []
        ),
        "```",
    ]


def _numbers(metadata: dict[str, Any]) -> list[str]:
    measured, dataset = metadata["measured"], metadata["dataset"]
    _, unit = headline(metadata)
    told = ", condition=observations" if dataset.get("condition") else ""
    better = "Lower is better"
    if "beside" in measured or "probe" in measured:
        better = "Lower bits/dim and nats are better"
    other = "nats" if unit == "bits_per_dim" else "bits_per_dim"
    lines = ["| what | number | from |", "| --- | --- | --- |"]
    for one, marks in ((unit, "**"), (other, "")):
        value = number(measured[one], one)
        lines.append(
            f"| {_unit(metadata, one)}, {dataset['split']} "
            f"| {marks}{value}{marks} "
            "| measured here |"
        )
    found = measured.get("classification")
    if found:
        lines.append(
            f"| p(class ∣ image), right of {found['num_images']:,} images "
            f"| {100 * found['accuracy']:.2f} % | measured here |"
        )
    mean = measured.get("mean_over_orders")
    if mean:
        one = measured["headline"]
        lines.append(
            f"| {UNITS[one]}, probabilities averaged over the "
            f"{len(metadata['orders'])} orders | {number(mean[one], one)} "
            "| measured here |"
        )
    probe = measured.get("probe")
    if probe:
        lines.append(
            f"| linear probe of {probe['layer']}, right of "
            f"{probe['num_test']:,} images | {100 * probe['accuracy']:.1f} % "
            "| measured here |"
        )
    lines += [
        f"| {what} | {value} | measured here |"
        for what, value in measured.get("beside", {}).items()
    ]
    paper = metadata.get("paper")
    if paper:
        lines.append(
            f"| {UNITS[paper['unit']]}, test "
            f"| {number(paper['value'], paper['unit'])} | the paper's own "
            f"figure, not measured here: [{paper['title']}]({paper['url']}) |"
        )
    lines += [
        "",
        f"{better}. Exact, not a bound: the mean of "
        f"`-model.log_prob(images{told})` over {dataset['description']}. "
        "Computed "
        f"in {measured['precision']} with the {metadata['weights_dtype']} "
        "weights of this folder:",
        "",
        f"    {measured['command']}",
    ]
    if mean:
        lines += [f"    {mean['command']}"]
    if found:
        lines += [
            "",
            "Classes are told apart by Bayes' rule, all equally frequent; "
            "their expected calibration error is "
            f"{100 * found['calibration_error']:.2f} %:",
            "",
            f"    {found['command']}",
        ]
    if probe:
        lines += ["", *_of_probe(probe)]
    before = measured.get("before_rounding")
    if before:
        lines += [
            "",
            "Before the weights were rounded to float16: "
            f"{before['bits_per_dim']:.4f} bits/dim on "
            f"{before['num_images']:,} {_noun(metadata)}; after: "
            f"{before['rounded_bits_per_dim']:.4f}.",
        ]
    return lines


def _of_probe(probe: dict[str, Any]) -> list[str]:
    random = probe["accuracy_of_random_weights"]
    beside = f"the pixels themselves {100 * probe['accuracy_of_pixels']:.1f} %"
    if random is not None:
        beside += f", the same layer of random weights {100 * random:.1f} %"
    return [
        f"The [probe](../../docs/probe.md) is fitted to {probe['num_train']:,} "
        f"training images, a fifth of which choose its layer; {beside}. "
        f"Measured once, on {probe['hardware']}:",
        "",
        f"    {probe['command']}",
    ]


def _training(metadata: dict[str, Any]) -> list[str]:
    training, versions = metadata["training"], metadata["versions"]
    if is_baseline(metadata):
        return [
            "A baseline: its weights are not trained but computed, in one "
            f"pass over {training['data']}, in {training['seconds']:,} "
            f"seconds on {training['hardware']}:",
            "",
            f"    {training['command']}",
        ]
    example = is_example(metadata)
    facts = {
        "command": f"`{training['command']}`",
        "hardware": training["hardware"],
        **(
            {"minutes": f"{training['minutes']:.1f}"}
            if example
            else {"hours": f"{training['hours']:.1f}"}
        ),
        "steps": f"{training['step']:,} of {training['steps']:,}, "
        f"{training['images_per_step']} {_noun(metadata)} each",
        "precision": training["precision"],
        "seed": training["seed"],
        "data": training["data"],
        "versions": ", ".join(
            f"{key} {value}" for key, value in versions.items()
        ),
    }
    recipe = (
        "[recipe.json](recipe.json) holds everything that decides the training."
    )
    if example:
        path = training["example"]
        recipe = (
            f"Data, network and training are those of [{path}](../../{path})."
        )
    return [
        recipe,
        "",
        "| what | value |",
        "| --- | --- |",
        *(f"| {key} | {value} |" for key, value in facts.items()),
    ]


def _limits(metadata: dict[str, Any]) -> list[str]:
    note = metadata["dataset"].get("note")
    return [
        f"It models {_noun(metadata)} of {metadata['dataset']['name']} at "
        f"{shape_text(metadata)} with {metadata['num_levels']} levels, and "
        f"knows nothing else; likelihoods of other {_noun(metadata)} mean "
        "little. Samples show the biases of the data set.",
        *(["", note] if note else []),
    ]


def _noun(metadata: dict[str, Any]) -> str:
    return metadata["dataset"].get("noun", "images")


def _unit(metadata: dict[str, Any], unit: str) -> str:
    return UNITS[unit].replace("image", _noun(metadata).removesuffix("s"))


def _licence(metadata: dict[str, Any]) -> list[str]:
    if "licence" in metadata["dataset"]:
        return [
            f"Weights, card and samples: {metadata['licence']}. "
            f"{metadata['dataset']['licence']}"
        ]
    return [
        f"Weights, card and samples: {metadata['licence']}. The images of "
        f"{metadata['dataset']['name']} have terms of their own and are not "
        "part of this folder.",
    ]


def table(presets: Mapping[str, dict[str, Any]], prefix: str = "") -> str:
    """The table of all presets, in Markdown.

    Args:
        presets: name -> metadata.
        prefix: path from the table's file to the zoo's folder.
    """
    if not presets:
        return "No model is published yet.\n"
    lines = [
        "| model | images | levels | parameters | data, test images "
        "| measured here | paper |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, metadata in presets.items():
        value, unit = headline(metadata)
        dataset, paper = metadata["dataset"], metadata.get("paper")
        published = (
            f"{number(paper['value'], paper['unit'])} {UNITS[paper['unit']]}"
            if paper
            else "–"
        )
        lines.append(
            f"| [{name}]({prefix}{name}/README.md)"
            f"{', a baseline' if is_baseline(metadata) else ''} "
            f"| {shape_text(metadata)} | {metadata['num_levels']} "
            f"| {metadata['num_parameters']:,} "
            f"| {dataset['name']}, {dataset['num_images']:,} "
            f"| **{number(value, unit)}** {_unit(metadata, unit)} "
            f"| {published} |"
        )
    return "\n".join(lines) + "\n"


def with_table(text: str, new_table: str) -> str:
    """The text of a page with a new table between the two marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(
            f"A page with the table must have {BEGIN} and {END}, once each. "
            "Received: a page without. Add the two lines."
        )
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{new_table}{END}{after}"
