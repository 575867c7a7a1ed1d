"""What a detector of outliers found."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from keras_pixel import files
from keras_pixel.tasks import results


@dataclasses.dataclass(frozen=True)
class Outliers:
    """Scores and verdicts.

    Attributes:
        is_outlier: bool array `(images,)`, or of the shape of the images where
            sub-pixels were judged.
        instance_score: float64 array `(images,)`, bits/dim; or `None`.
        feature_score: float32 array of the shape of the images: bits of each
            sub-pixel, less those of the background for "likelihood_ratio"; or
            `None`.
    """

    is_outlier: np.ndarray
    instance_score: np.ndarray | None
    feature_score: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class OutliersResult:
    """What `OutlierDetector.predict` found.

    Attributes:
        model: name of the model.
        score: what the scores are, see `OutlierDetector`.
        threshold: float, bits/dim. Scores above it are outliers.
        outlier_type: "instance" or "feature", what was judged.
        num_levels: int.
        images: what the images are, in words.
        names: tuple of strings, one for each image.
        bits_per_dim: float64 array `(images,)`, of the model alone.
        data: `Outliers`.
        examples: tuple of `(index, image, feature_score)` of the images with
            the highest scores, strangest first.
    """

    model: str
    score: str
    threshold: float
    outlier_type: str
    num_levels: int
    images: str
    names: tuple[str, ...]
    bits_per_dim: np.ndarray
    data: Outliers
    examples: tuple[tuple[int, np.ndarray, np.ndarray], ...]

    @property
    def num_outliers(self) -> int:
        """Images above the threshold, or with sub-pixels above it."""
        return int(self._image_is_outlier().sum())

    def _image_is_outlier(self) -> np.ndarray:
        judged = self.data.is_outlier
        return np.any(judged.reshape(len(judged), -1), axis=1)

    def table(self) -> str:
        """The images with the highest scores, as a Markdown table."""
        is_outlier = self._image_is_outlier()
        lines = [
            "| image | score | bits/dim | outlier |",
            "| --- | --- | --- | --- |",
        ]
        for i, _, _ in self.examples:
            score = "–"
            if self.data.instance_score is not None:
                score = f"{self.data.instance_score[i]:.4f}"
            lines.append(
                f"| {self.names[i]} | {score} | {self.bits_per_dim[i]:.4f} "
                f"| {'yes' if is_outlier[i] else 'no'} |"
            )
        lines.append(
            f"| **{self.num_outliers:,} of {len(self.names):,}** | "
            f"**{self.score} > {self.threshold:.4f}** | "
            f"{self.bits_per_dim.mean():.4f} | |"
        )
        return "\n".join(lines) + "\n"

    def plot(self, path: files.PathLike | None = None) -> Any:
        """Draw the scores, and where the strangest images are strange.

        Below the histogram lie the images with the highest scores, and the
        bits of their pixels as heat maps.

        Args:
            path: PNG file to write, or `None`.

        Returns:
            A `PIL.Image.Image`.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        number = len(self.examples)
        figure = results.new_figure(9, 5.5)
        grid = figure.add_gridspec(3, number, height_ratios=[2, 1, 1])
        axes = figure.add_subplot(grid[0, :])
        scores = self.bits_per_dim
        label = "bits/dim"
        if self.data.instance_score is not None:
            scores, label = self.data.instance_score, f"{self.score}, bits/dim"
        axes.hist(scores, bins=60, color=results.BLUE)
        if self.outlier_type == "instance":
            axes.axvline(self.threshold, color=results.ORANGE)
        axes.set(
            xlabel=label,
            ylabel="images",
            title=f"{self.model}: {self.num_outliers:,} outliers of "
            f"{len(self.names):,} images",
        )
        maps = [features.sum(axis=-1) for _, _, features in self.examples]
        # One pixel alone would darken all others.
        low, high = np.percentile(np.stack(maps), (1, 99))
        for column, ((_, image, _), bits) in enumerate(
            zip(self.examples, maps, strict=True)
        ):
            above = figure.add_subplot(grid[1, column])
            below = figure.add_subplot(grid[2, column])
            shown = image / (self.num_levels - 1)
            shown = shown[..., 0] if image.shape[-1] != 3 else shown
            above.imshow(shown, "gray", vmin=0, vmax=1, interpolation="nearest")
            heat = below.imshow(
                bits, "magma", vmin=low, vmax=high, interpolation="nearest"
            )
            for place in (above, below):
                place.set_axis_off()
        figure.colorbar(
            heat, ax=figure.axes[2::2], extend="both", label="bits of a pixel"
        )
        return results.picture_of(figure, path)

    def to_dict(self) -> dict[str, Any]:
        """All but the images and scores of sub-pixels, as JSON values."""
        is_outlier = self._image_is_outlier()
        scores = self.data.instance_score
        return {
            "model": self.model,
            "score": self.score,
            "threshold": self.threshold,
            "outlier_type": self.outlier_type,
            "images": self.images,
            "num_images": len(self.names),
            "num_outliers": self.num_outliers,
            "found": [
                {
                    "image": name,
                    "score": None if scores is None else float(scores[i]),
                    "bits_per_dim": float(self.bits_per_dim[i]),
                    "is_outlier": bool(is_outlier[i]),
                }
                for i, name in enumerate(self.names)
            ],
        }

    def save(self, folder: files.PathLike) -> pathlib.Path:
        """Write `outliers.json`, `table.md` and a picture.

        See `keras_pixel.tasks.results.save` for arguments and errors.
        """
        return results.save(
            folder, "outliers", self.to_dict(), self.table(), self.plot
        )
