"""How well a class-conditional model tells the classes of images apart.

The model is generative: `p(label | image)` follows from `p(image | label)` by
Bayes' rule, with all classes equally frequent.
"""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_pixel import files
from keras_pixel.checks import check_size
from keras_pixel.tasks import results

# Of the confidences that the calibration error compares with accuracies.
NUM_BINS = 15
# Images between two reports of progress.
_STRIDE = 500


@dataclasses.dataclass(frozen=True)
class ClassificationResult:
    """What `classify` found.

    Attributes:
        model: name of the model.
        class_names: tuple of strings.
        num_images: int.
        accuracy: share of the images whose most probable class is theirs.
        calibration_error: expected calibration error (Guo et al., 2017, "On
            Calibration of Modern Neural Networks", equation 3) in `NUM_BINS`
            bins: how far, on average, the probability of the chosen class
            lies from the share that is right.
        confusion: tuple of rows, `confusion[i][j]` images of class `i` taken
            for class `j`.
        bins: tuple of `(images, mean confidence, accuracy)`, of the bins that
            are not empty.
        images: what the images are, in words.
    """

    model: str
    class_names: tuple[str, ...]
    num_images: int
    accuracy: float
    calibration_error: float
    confusion: tuple[tuple[int, ...], ...]
    bins: tuple[tuple[int, float, float], ...]
    images: str

    def table(self) -> str:
        """Accuracy of each class, in per cent, as a Markdown table."""
        lines = [
            "| class | images | accuracy | mostly taken for |",
            "| --- | --- | --- | --- |",
        ]
        for i, (name, row) in enumerate(
            zip(self.class_names, self.confusion, strict=True)
        ):
            others = {j: n for j, n in enumerate(row) if n and j != i}
            most = max(others, key=lambda j: others[j], default=None)
            worst = "–"
            if most is not None:
                worst = f"{self.class_names[most]} ({others[most]})"
            share = f"{100 * row[i] / sum(row):.1f}" if sum(row) else "–"
            lines.append(f"| {name} | {sum(row):,} | {share} | {worst} |")
        lines.append(
            f"| **all** | {self.num_images:,} | **{100 * self.accuracy:.2f}** "
            f"| calibration error {100 * self.calibration_error:.2f} |"
        )
        return "\n".join(lines) + "\n"

    def plot(self, path: files.PathLike | None = None) -> Any:
        """Draw the reliability of the probabilities, and the confusions.

        Args:
            path: PNG file to write, or `None`.

        Returns:
            A `PIL.Image.Image`.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure = results.new_figure(9, 4.2)
        left, right = figure.subplots(1, 2)
        _, confidences, accuracies = zip(*self.bins, strict=True)
        left.plot([0, 1], [0, 1], "--", color=results.GREY, lw=1)
        left.plot(confidences, accuracies, "o-", color=results.BLUE)
        left.set(
            xlabel="probability of the chosen class",
            ylabel="share that is right",
            title=f"{self.model}: {100 * self.accuracy:.2f} % right",
        )
        rows = np.array(self.confusion, "float64")
        rows /= np.maximum(rows.sum(axis=1, keepdims=True), 1)
        right.imshow(rows, cmap="Blues", vmin=0, vmax=1)
        places = range(len(self.class_names))
        right.set_xticks(places, self.class_names, rotation=45, ha="right")
        right.set_yticks(places, self.class_names)
        right.set(xlabel="taken for", ylabel="class")
        return results.picture_of(figure, path)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return dataclasses.asdict(self)

    def save(self, folder: files.PathLike) -> pathlib.Path:
        """Write `classification.json`, `table.md` and a picture.

        See `keras_pixel.tasks.results.save` for arguments and errors.
        """
        return results.save(
            folder, "classification", self.to_dict(), self.table(), self.plot
        )


def classify(
    model: Any,
    data: Any,
    num_images: int | None = None,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> ClassificationResult:
    """Measure how well a model tells classes apart.

    One forward pass for each class and image.

    Args:
        model: `PixelModel` that is told labels.
        data: `ImageData` with labels, or a pair `(images, labels)`.
        num_images: int. Only the first ones. Defaults to `None`: all.
        batch_size: int. Images that go through the network at once. Defaults
            to `32`.
        progress: function called with the number of images done and their
            total number. Defaults to `None`.

    Returns:
        `ClassificationResult`.

    Raises:
        ValueError: if the model has no classes, or the images no labels or
            those of other classes.
    """
    num_classes = model.num_classes
    if isinstance(data, tuple) and len(data) == 2:
        images, labels = data
    else:
        images, labels = data.images, data.labels
    if labels is None or not len(images) or len(labels) != len(images):
        raise ValueError(
            "`data` must hold images with one label each. Received: "
            f"{len(images)} images, "
            f"{None if labels is None else len(labels)} labels. Load it with "
            "`labels=True`."
        )
    total = len(images)
    if num_images is not None:
        total = min(check_size("num_images", num_images), total)
    parts = []
    for start in range(0, total, _STRIDE):
        part = np.asarray(images[start : min(start + _STRIDE, total)])
        parts.append(model.classify(part, batch_size=batch_size))
        if progress is not None:
            progress(start + len(part), total)
    probabilities = np.concatenate(parts)  # (images, classes)
    labels = np.asarray(labels[:total]).reshape(-1)
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            "`data` must have the classes of the model. Received: labels from "
            f"{labels.min()} to {labels.max()}, num_classes={num_classes}. "
            "Use the data set that the model was trained on."
        )
    chosen = probabilities.argmax(axis=1)
    confusion = np.zeros((num_classes, num_classes), int)
    np.add.at(confusion, (labels, chosen), 1)
    bins = _bins(probabilities.max(axis=1), chosen == labels)
    names = model.class_names or tuple(map(str, range(num_classes)))
    return ClassificationResult(
        model=model.name,
        class_names=names,
        num_images=total,
        accuracy=float((chosen == labels).mean()),
        calibration_error=sum(n * abs(p - a) for n, p, a in bins) / total,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        bins=bins,
        images=getattr(data, "description", "arrays"),
    )


def _bins(
    confidences: np.ndarray, is_right: np.ndarray
) -> tuple[tuple[int, float, float], ...]:
    """`(images, mean confidence, accuracy)` of each bin that is not empty."""
    places = np.minimum((confidences * NUM_BINS).astype(int), NUM_BINS - 1)
    return tuple(
        (
            int((places == i).sum()),
            float(confidences[places == i].mean()),
            float(is_right[places == i].mean()),
        )
        for i in np.unique(places)
    )
