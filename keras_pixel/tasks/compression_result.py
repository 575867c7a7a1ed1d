"""How large a compressed file is, beside other ways to write its images."""

import dataclasses
import pathlib
from typing import Any

from keras_pixel import files
from keras_pixel.tasks import results


@dataclasses.dataclass(frozen=True)
class CompressionResult:
    """What `compress` wrote, beside other ways to write it.

    Attributes:
        model: name of the model.
        num_images: int.
        num_values: int. Sub-pixels of all images.
        num_levels: int.
        num_bytes: int. The file.
        header_bytes: int. What of it is not the images.
        model_bits: float. `-log2` of the probability of all images.
        png_bytes, webp_bytes: int. PNG and lossless WebP files, one for each
            image; `None` if they were not compared, or cannot hold such
            images.
        seconds: float, of coding. The first batch includes compilation.
        batch_size: int. Tiles that were coded together.
        num_batches: int.
        lag: int, of the wavefront.
    """

    model: str
    num_images: int
    num_values: int
    num_levels: int
    num_bytes: int
    header_bytes: int
    model_bits: float
    png_bytes: int | None
    webp_bytes: int | None
    seconds: float
    batch_size: int
    num_batches: int
    lag: int

    @property
    def bits_per_dim(self) -> float:
        """Bits of the file for each sub-pixel."""
        return 8 * self.num_bytes / self.num_values

    @property
    def model_bits_per_dim(self) -> float:
        """What the model says: `-log2 p` for each sub-pixel."""
        return self.model_bits / self.num_values

    def sizes(self) -> dict[str, float]:
        """Bytes, by what holds the images."""
        bits = int(self.num_levels - 1).bit_length()
        found = {
            f"{bits} bits each": self.num_values * bits / 8,
            "PNG": self.png_bytes,
            "WebP, lossless": self.webp_bytes,
            "this file": self.num_bytes,
            "the model's −log2 p": self.model_bits / 8,
        }
        return {name: size for name, size in found.items() if size is not None}

    def table(self) -> str:
        """Bytes and bits/dim as a Markdown table."""
        lines = ["| images as | bytes | bits/dim |", "| --- | --- | --- |"]
        for name, size in self.sizes().items():
            bits = 8 * size / self.num_values
            lines.append(f"| {name} | {size:,.0f} | {bits:.4f} |")
        return "\n".join(lines) + "\n"

    def plot(self, path: files.PathLike | None = None) -> Any:
        """Draw the sizes side by side.

        Args:
            path: PNG file to write, or `None`.

        Returns:
            A `PIL.Image.Image`.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure = results.new_figure(6, 3)
        axes = figure.subplots()
        sizes = {k: 8 * x / self.num_values for k, x in self.sizes().items()}
        bars = axes.barh(list(sizes), list(sizes.values()), color=results.GREY)
        bars[list(sizes).index("this file")].set_color(results.BLUE)
        axes.bar_label(bars, fmt="%.3f", padding=3)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set(
            xlabel="bits/dim", title=f"{self.model}: {self.num_images:,} images"
        )
        return results.picture_of(figure, path)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            **dataclasses.asdict(self),
            "bits_per_dim": self.bits_per_dim,
            "model_bits_per_dim": self.model_bits_per_dim,
        }

    def save(self, folder: files.PathLike) -> pathlib.Path:
        """Write `compression.json`, `table.md` and a picture.

        See `keras_pixel.tasks.results.save` for arguments and errors.
        """
        return results.save(
            folder, "compression", self.to_dict(), self.table(), self.plot
        )
