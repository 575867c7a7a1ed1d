"""Linear probes: what the hidden states of a model say about labels.

Source: Alain, Bengio, 2016, "Understanding intermediate layers using linear
classifier probes", https://arxiv.org/abs/1610.01644; for autoregressive models
of images Chen et al., 2020, "Generative Pretraining from Pixels",
https://proceedings.mlr.press/v119/chen20s.html.
"""

import random
import warnings
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_pixel.checks import check_images
from keras_pixel.checks import check_size
from keras_pixel.tasks.probe_result import Probe
from keras_pixel.tasks.probe_result import ProbeResult

# Layers that are probed where none are named.
NUM_LAYERS = 6
# Inverse strengths of the regularisation that held-out images choose from.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# The held-out part of the training images.
HELD_OUT = 0.2
_MOST_ITERATIONS = 300


def probe(
    model: Any,
    train_data: Any,
    test_data: Any,
    layers: Sequence[str | int] | None = None,
    pooling: Any = "mean",
    num_train: int | None = None,
    num_test: int | None = None,
    random_weights: bool = True,
    seed: int = 0,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> ProbeResult:
    """Classify images by hidden states of a model, layer by layer.

    Each layer's features are pooled over the pixels and standardised, and a
    logistic regression is fitted to the labels of the training images. The
    strength of its regularisation is chosen on a fifth of them, held out;
    then it is fitted to all. Test images are looked at once, at the end. The
    same is done with the pixels themselves, all of them, and with the same
    network with random weights: what training added lies above both.

    Args:
        model: a `PixelModel` with hidden layers that is told nothing beside
            the images, or can do without: a model with `label_dropout` is
            told no label.
        train_data: `ImageData` with labels, or a pair `(images, labels)`.
        test_data: the same, of other images.
        layers: list of names, or of indices into `model.feature_layers`.
            Defaults to `None`: six of them, evenly spaced, the last included.
        pooling: "mean" or "max" over all pixels, or `(rows, columns)`: means
            over the parts of such a grid. Defaults to `"mean"`.
        num_train: int. Training images used, drawn by `seed`. Defaults to
            `None`: all.
        num_test: int, the same of the test images.
        random_weights: bool. Whether to probe random weights too. Defaults to
            `True`.
        seed: int. Decides which images are used and held out, and the random
            weights. Defaults to `0`.
        batch_size: int. Images that go through the network at once. Defaults
            to `32`.
        progress: function called with the number of images done and their
            total number, over all passes. Defaults to `None`.

    Returns:
        `ProbeResult`.

    Raises:
        ImportError: if scikit-learn is not installed.
        TypeError: if the data are neither, or the images are not integers.
        ValueError: if there are no labels, fewer than two classes, too few
            images, or no such layer or pooling, and for a model that must be
            told labels or another condition.
    """
    _import_sklearn()
    _check_told_nothing(model)
    seed = check_size("seed", seed, 0)
    batch_size = check_size("batch_size", batch_size)
    if pooling is None:
        raise ValueError(
            '`pooling` must be "mean", "max" or (rows, columns). Received: '
            "pooling=None. Features of every pixel are too many for a probe."
        )
    names = _layer_names(model, layers, pooling)
    train = _chosen("train_data", train_data, num_train, seed)
    test = _chosen("test_data", test_data, num_test, seed)
    for images, _ in (train, test):
        # Before minutes are spent on the pixels.
        check_images(images, model.image_shape, model.num_levels, dtype=None)
    order = np.random.default_rng(seed).permutation(len(train[1]))
    held_out = max(1, int(HELD_OUT * len(order)))
    fitted, held = order[held_out:], order[:held_out]
    if len(np.unique(train[1][fitted])) < 2:
        raise ValueError(
            "`train_data` must hold images of at least two classes. "
            f"Received: labels {np.unique(train[1][fitted]).tolist()} of the "
            f"{len(fitted)} images that are not held out. Give more of them."
        )
    networks = {"trained": model}
    if random_weights:
        networks["random"] = _with_random_weights(model, seed)
    done, total = 0, len(networks) * (len(train[1]) + len(test[1]))
    found: dict[str, list[Probe]] = {name: [] for name in ["pixels", *names]}

    def classify(
        layer: str,
        weights: str,
        train_features: np.ndarray,
        test_features: np.ndarray,
    ) -> None:
        accuracies = {
            strength: _accuracy(
                (train_features[fitted], train[1][fitted]),
                (train_features[held], train[1][held]),
                strength,
            )
            for strength in STRENGTHS
        }
        best = max(accuracies, key=lambda strength: accuracies[strength])
        accuracy = _accuracy(
            (train_features, train[1]), (test_features, test[1]), best
        )
        entry = Probe(
            layer,
            weights,
            train_features.shape[1],
            accuracy,
            accuracies[best],
            best,
        )
        found[layer].append(entry)

    classify(
        "pixels",
        "none",
        *(x[0].reshape(len(x[0]), -1).astype("float32") for x in (train, test)),
    )
    for weights, network in networks.items():
        features: list = []
        for images, _ in (train, test):
            parts = []
            # In some parts, so that progress can be reported.
            for start in range(0, len(images), 500):
                part = images[start : start + 500]
                parts.append(
                    network.features(
                        part,
                        layer=names,
                        pooling=pooling,
                        batch_size=batch_size,
                    )
                )
                done += len(part)
                if progress is not None:
                    progress(done, total)
            features.append(
                [np.concatenate(x) for x in zip(*parts, strict=True)]
            )
        for name, *both in zip(names, *features, strict=True):
            classify(name, weights, *(x.astype("float32") for x in both))
    return ProbeResult(
        model=model.name,
        probes=tuple(p for of_layer in found.values() for p in of_layer),
        num_train=len(train[1]),
        num_test=len(test[1]),
        num_classes=len(np.unique(train[1])),
        pooling=list(pooling) if isinstance(pooling, tuple) else pooling,
        train=getattr(train_data, "description", "arrays"),
        test=getattr(test_data, "description", "arrays"),
        seed=seed,
    )


def _import_sklearn() -> Any:
    try:
        import sklearn
    except ImportError as error:
        raise ImportError(
            "`probe` needs scikit-learn. Received: no such package. Install "
            'it with `pip install "keras-pixel[tasks]"`.'
        ) from error
    return sklearn


def _check_told_nothing(model: Any) -> None:
    """Raise ValueError for a model whose hidden layers know what it is told."""
    conditions = model.conditions
    told = [
        name
        for name in conditions.names
        if name == "condition"
        or (name == "labels" and not conditions.label_dropout)
    ]
    if told:
        raise ValueError(
            "`model` must do without labels and other conditions to be "
            "probed: its hidden layers know what it is told. Received: a "
            f"model that must be told {told}. Take one without, or one "
            "trained with `label_dropout`; a model that is told labels "
            "tells classes apart by `classify`."
        )


def _accuracy(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    strength: float,
) -> float:
    """Share of `test` that a classifier fitted to `train` gets right."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS),
    )
    with warnings.catch_warnings():
        # With weak regularisation; held-out images judge it all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(*train)
    return float(classifier.score(*test))


def _layer_names(
    model: Any, layers: Sequence[str | int] | None, pooling: Any
) -> list[str]:
    known = model.feature_layers
    if layers is None:
        if not known:
            raise ValueError(
                "`model` must have hidden layers to be probed. Received: a "
                f"{type(model).__name__}, which has none. Take another model."
            )
        places = np.linspace(0, len(known) - 1, min(NUM_LAYERS, len(known)))
        layers = [int(place) for place in places.round()]
    if isinstance(layers, (str, int)) or not len(layers):
        raise ValueError(
            "`layers` must be a list of names or indices of layers. "
            f"Received: layers={layers!r}. There are {known}."
        )
    # Refuses what is no layer of features, and no grid for it.
    model.feature_model(list(layers), pooling)
    return list(
        dict.fromkeys(x if isinstance(x, str) else known[x] for x in layers)
    )


def _chosen(
    name: str, data: Any, number: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels, as many as wanted, drawn by the seed."""
    if isinstance(data, tuple) and len(data) == 2:
        images, labels = data
    elif hasattr(data, "images") and hasattr(data, "labels"):
        images, labels = data.images, data.labels
    else:
        raise TypeError(
            f"`{name}` must be `ImageData` with labels, or a pair (images, "
            f"labels). Received: {type(data).__name__}. Load it with "
            "`load_data(…, labels=True)`."
        )
    if labels is None or len(labels) != len(images):
        raise ValueError(
            f"`{name}` must have one label for each image. Received: "
            f"{None if labels is None else len(labels)} labels, "
            f"{len(images)} images. Load it with `labels=True`."
        )
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "biuSU":
        raise ValueError(
            f"`{name}` must have labels that are class ids or names, one for "
            f"each image. Received: labels of shape {labels.shape}, "
            f"{labels.dtype}. Convert them, as by `labels.argmax(-1)`."
        )
    count = "num_train" if name == "train_data" else "num_test"
    if number is None:
        number = len(labels)
    number = check_size(count, number, 1, len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))[:number]
    order.sort()
    return np.asarray(images[order]), labels[order]


def _with_random_weights(model: Any, seed: int) -> Any:
    """The same network as when its training began."""
    # What Keras seeds its initializers by.
    former = random.getstate()
    random.seed(seed)
    try:
        return type(model).from_config(model.get_config())
    finally:
        random.setstate(former)
