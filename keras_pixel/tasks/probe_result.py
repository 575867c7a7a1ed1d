"""What linear probes found, layer by layer."""

import dataclasses
import pathlib
from typing import Any

from keras_pixel import files
from keras_pixel.tasks import results


@dataclasses.dataclass(frozen=True)
class Probe:
    """A linear classifier on one kind of features.

    Attributes:
        layer: name of the layer, or "pixels".
        weights: "trained" or "random"; "none" for pixels.
        num_features: int.
        accuracy: share of the test images that are classified rightly.
        held_out_accuracy: the same of the held-out training images.
        strength: the inverse strength `C` of the regularisation that they
            chose.
    """

    layer: str
    weights: str
    num_features: int
    accuracy: float
    held_out_accuracy: float
    strength: float


@dataclasses.dataclass(frozen=True)
class ProbeResult:
    """What `probe` found.

    Attributes:
        model: name of the model.
        probes: tuple of `Probe`: the pixels, then layer by layer.
        num_train, num_test, num_classes: int.
        pooling: how features were pooled.
        train, test: what the images are, in words.
        seed: int, which drew the images and the random weights.
    """

    model: str
    probes: tuple[Probe, ...]
    num_train: int
    num_test: int
    num_classes: int
    pooling: Any
    train: str
    test: str
    seed: int

    @property
    def best(self) -> Probe:
        """The trained layer that the held-out images, not the test, choose."""
        trained = [p for p in self.probes if p.weights == "trained"]
        return max(trained, key=lambda p: p.held_out_accuracy)

    def table(self) -> str:
        """Test accuracies, in per cent, as a Markdown table."""
        lines = [
            "| features | number | trained weights | random weights |",
            "| --- | --- | --- | --- |",
        ]
        for layer in dict.fromkeys(p.layer for p in self.probes):
            of_layer = {p.weights: p for p in self.probes if p.layer == layer}
            cells = [
                f"{100 * of_layer[kind].accuracy:.1f}"
                if kind in of_layer
                else "–"
                for kind in ("trained", "random")
            ]
            first = next(iter(of_layer.values()))
            if "none" in of_layer:
                cells = [f"{100 * first.accuracy:.1f}", "–"]
                layer = "pixels (no network)"
            elif first.layer == self.best.layer:
                cells[0] = f"**{cells[0]}**"
            lines.append(
                f"| {layer} | {first.num_features:,} | {cells[0]} "
                f"| {cells[1]} |"
            )
        return "\n".join(lines) + "\n"

    def plot(self, path: files.PathLike | None = None) -> Any:
        """Draw test accuracy against depth.

        Args:
            path: PNG file to write, or `None`.

        Returns:
            A `PIL.Image.Image`.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure = results.new_figure(7.2, 4.2)
        axes = figure.add_subplot(ylabel="test accuracy, %")
        axes.set_title(f"{self.model}: linear probes", fontsize="medium")
        axes.grid(alpha=0.4)
        axes.spines[["top", "right"]].set_visible(False)
        for kind, color in (
            ("trained", results.BLUE),
            ("random", results.ORANGE),
        ):
            found = [p for p in self.probes if p.weights == kind]
            if found:
                axes.plot(
                    [p.layer for p in found],
                    [100 * p.accuracy for p in found],
                    "o-",
                    color=color,
                    label=f"{kind} weights",
                )
        pixels = [p for p in self.probes if p.weights == "none"]
        for one in pixels:
            axes.axhline(
                100 * one.accuracy, color=results.GREY, ls="--", label="pixels"
            )
        axes.tick_params("x", labelrotation=30)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
        axes.legend(frameon=False)
        return results.picture_of(figure, path)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            **dataclasses.asdict(self),
            "probes": [dataclasses.asdict(p) for p in self.probes],
            "best": dataclasses.asdict(self.best),
        }

    def save(self, folder: files.PathLike) -> pathlib.Path:
        """Write `probe.json`, `table.md` and, with matplotlib, `probe.png`.

        Args:
            folder: a new folder.

        Returns:
            Its path.

        Raises:
            FileExistsError: if there is something at `folder`.
        """
        return results.save(
            folder, "probe", self.to_dict(), self.table(), self.plot
        )
