"""Finds images that are unlike those a model was trained on.

A likelihood alone says little: flat and smooth images are more probable than
any photograph, under any model (Nalisnick et al., 2019, "Do Deep Generative
Models Know What They Don't Know?"). Three scores mend it: the likelihood ratio
to a model of the background, the complexity of the image, and how typical its
likelihood is.
"""

import pathlib
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Self

import numpy as np

from keras_pixel import files
from keras_pixel import presets
from keras_pixel import training
from keras_pixel.checks import check_choice
from keras_pixel.checks import check_images
from keras_pixel.checks import check_number
from keras_pixel.checks import check_size
from keras_pixel.tasks import picture_files
from keras_pixel.tasks.outliers_result import Outliers
from keras_pixel.tasks.outliers_result import OutliersResult

SCORES = ("complexity", "likelihood", "likelihood_ratio", "typicality")
# Those that are sums over sub-pixels.
_ADDITIVE = ("likelihood", "likelihood_ratio")
OUTLIER_TYPES = ("instance", "feature")
# Images between two reports of progress.
_STRIDE = 500
# Images that a result keeps, to draw them.
_EXAMPLES = 8


class OutlierDetector:
    """Scores images by a model; those above a threshold are outliers.

    It has the verbs of other detectors (such as those of alibi-detect): `fit`,
    `infer_threshold` and `predict`. All scores are in bits/dim, and higher for
    stranger images:

    - "complexity": the model's bits minus those of the smaller of a PNG and a
      lossless WebP file (Serrà et al., 2020, "Input complexity and
      out-of-distribution detection with likelihood-based generative models").
      It needs no fitting.
    - "likelihood": the model's bits, `-log2 p`. It takes smooth images for
      ordinary ones, whatever they show.
    - "likelihood_ratio": the model's bits minus those of a background model,
      which was fine-tuned on images with random sub-pixels (Ren et al., 2019,
      "Likelihood Ratios for Out-of-Distribution Detection").
    - "typicality": how far the model's bits lie from their mean over known
      images, in either direction (Nalisnick et al., 2019, "Detecting
      Out-of-Distribution Inputs to Deep Generative Models Using Typicality",
      for single images).

    Args:
        model: `PixelModel`, trained on images as they should be. One that is
            told labels must do without them (see `label_dropout`).
        score: one of the four. Defaults to `"complexity"`.
        background: `PixelModel` of the same images, or the name or folder of
            its preset, for "likelihood_ratio". Defaults to `None`: `fit`
            trains one.
        threshold: float, bits/dim. Scores above it are outliers. Defaults to
            `None`: `infer_threshold` sets it.
        batch_size: int. Images that go through the network at once. Defaults
            to `32`.

    Attributes:
        expected: float, mean bits/dim of known images, once `fit` has measured
            it for "typicality".

    Example:

    ```python
    detector = OutlierDetector(model, "complexity")
    detector.infer_threshold(known_images, threshold_perc=95)
    found = detector.predict(images)
    print(found.data.is_outlier)
    ```
    """

    def __init__(
        self,
        model: Any,
        score: str = "complexity",
        *,
        background: Any = None,
        threshold: float | None = None,
        batch_size: int = 32,
    ):
        self.model = model
        self.score = check_choice("score", score, SCORES)
        self.threshold = None if threshold is None else float(threshold)
        self.batch_size = check_size("batch_size", batch_size)
        self.expected: float | None = None
        if background is not None and score != "likelihood_ratio":
            raise ValueError(
                "`background` is for the score 'likelihood_ratio'. Received: "
                f"score={score!r}. Leave it out, or use that score."
            )
        if isinstance(background, str | pathlib.Path):
            background = presets.load(background)
        if background is not None:
            _check_same_images(model, background)
        self.background = background
        if score == "complexity":
            picture_files.check_channels(model.image_shape[-1])

    def fit(
        self,
        images: Any,
        output_dir: files.PathLike | None = None,
        *,
        rate: float = 0.2,
        epochs: int = 3,
        training_batch_size: int = 16,
        learning_rate: float | None = None,
        precision: str = "float32",
        seed: int = 0,
        progress: bool = False,
    ) -> Self:
        """Learn from known images what the score needs beside the model.

        For "likelihood_ratio" a copy of the model is fine-tuned on images in
        which sub-pixels were replaced at random: it forgets what they show and
        keeps how smooth they are. For "typicality" the mean of their bits is
        measured. The others need nothing, nor does a background that was
        given.

        Args:
            images: integer levels `(images, height, width, channels)`, or
                `ImageData`. None of them should be an outlier.
            output_dir: folder of the background's training, which the same
                call resumes; its `preset/` can be given as `background`.
                Defaults to `None`: it is not kept.
            rate: float in (0, 1). Share of the sub-pixels that take a random
                level. Defaults to `0.2`.
            epochs, training_batch_size, learning_rate, precision, seed,
            progress: of the fine-tuning; see `training.finetune`.

        Returns:
            The detector.

        Raises:
            TypeError, ValueError: if images or arguments are wrong.
        """
        if self.score == "typicality":
            self.expected = float(self._bits_per_dim(images).mean())
        if self.score != "likelihood_ratio" or self.background is not None:
            return self
        images = self._checked(getattr(images, "images", images))
        mutated = mutate(images, self.model.num_levels, rate, seed=seed)
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(output_dir or temporary)
            training.finetune(
                self.model,
                mutated,
                folder,
                epochs=epochs,
                batch_size=training_batch_size,
                learning_rate=learning_rate,
                precision=precision,
                seed=seed,
                progress=progress,
            )
            self.background = presets.load(folder / "preset")
        return self

    def infer_threshold(
        self,
        images: Any,
        threshold_perc: float = 95.0,
        outlier_type: str = "instance",
    ) -> float:
        """Set the threshold that a share of known images stays below.

        Args:
            images: as in `fit`. Better others than those: a model knows the
                images that it was trained on.
            threshold_perc: float in (0, 100). Percentage of them that are no
                outliers. Defaults to `95.0`.
            outlier_type: "instance" for whole images, or "feature" for
                sub-pixels, each by itself.

        Returns:
            The threshold, bits/dim.
        """
        _check_percentage(threshold_perc)
        self._check_type(outlier_type)
        found = [
            features.reshape(-1)
            if outlier_type == "feature"
            else self._of_images(part, features, bits)
            for part, features, bits in self._parts(images)
        ]
        return self._set_threshold(np.concatenate(found), threshold_perc)

    def predict(
        self,
        images: Any,
        outlier_type: str = "instance",
        *,
        return_feature_score: bool = True,
        return_instance_score: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> OutliersResult:
        """Score images, and say which are outliers.

        Args:
            images: integer levels `(images, height, width, channels)`, or
                `ImageData`, whose names the result keeps.
            outlier_type: "instance" or "feature", what is an outlier: an
                image or a sub-pixel.
            return_feature_score: bool. Whether to keep the score of each
                sub-pixel. Defaults to `True`.
            return_instance_score: bool. Whether to keep that of each image.
                Defaults to `True`.
            progress: function called with the number of images done and their
                total number. Defaults to `None`.

        Returns:
            `OutliersResult`; its `data` has `is_outlier`, `instance_score` and
            `feature_score`.

        Raises:
            ValueError: if there is no threshold, or the images are wrong.
        """
        if self.threshold is None:
            raise ValueError(
                "`predict` needs a threshold. Received: none. Call "
                "`infer_threshold` with known images, or give `threshold`."
            )
        self._check_type(outlier_type)
        ids = getattr(images, "ids", None)
        levels = getattr(images, "images", images)
        scores, all_features, all_bits = [], [], []
        done = 0
        for part, features, bits in self._parts(images):
            scores.append(self._of_images(part, features, bits))
            all_features.append(features)
            all_bits.append(bits)
            done += len(part)
            if progress is not None:
                progress(done, len(levels))
        instance_score = np.concatenate(scores)
        feature_score = np.concatenate(all_features)
        judged = feature_score if outlier_type == "feature" else instance_score
        strangest = np.argsort(-instance_score, kind="stable")[:_EXAMPLES]
        return OutliersResult(
            model=self.model.name,
            score=self.score,
            threshold=self.threshold,
            outlier_type=outlier_type,
            num_levels=self.model.num_levels,
            images=getattr(images, "description", "arrays"),
            names=tuple(map(str, range(len(levels)) if ids is None else ids)),
            bits_per_dim=np.concatenate(all_bits),
            data=Outliers(
                is_outlier=judged > self.threshold,
                instance_score=instance_score
                if return_instance_score
                else None,
                feature_score=feature_score if return_feature_score else None,
            ),
            examples=tuple(
                (int(i), np.asarray(levels[int(i)]), feature_score[i])
                for i in strangest
            ),
        )

    # === Scores ===

    def _parts(
        self, images: Any
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Images, scores of their sub-pixels and bits/dim, a few at a time."""
        images = getattr(images, "images", images)
        if not len(images):
            raise ValueError(
                "There must be images to score. Received: none. Give at least "
                "one."
            )
        for start in range(0, len(images), _STRIDE):
            part = self._checked(images[start : start + _STRIDE])
            features = self._bits(self.model, part)
            bits = features.mean(axis=(1, 2, 3), dtype="float64")
            if self.score == "likelihood_ratio":
                if self.background is None:
                    raise ValueError(
                        "The score 'likelihood_ratio' needs a background "
                        "model. Received: none. Call `fit` with known images, "
                        "or give `background`."
                    )
                features = features - self._bits(self.background, part)
            yield part, features, bits

    def _bits_per_dim(self, images: Any) -> np.ndarray:
        return np.concatenate([bits for _, _, bits in self._parts(images)])

    def _bits(self, model: Any, images: np.ndarray) -> np.ndarray:
        """Bits of each sub-pixel, float32, of the shape of the images."""
        log_prob = model.log_prob(
            images, batch_size=self.batch_size, reduce="sub_pixels"
        )
        return -log_prob / np.float32(np.log(2))

    def _of_images(
        self, images: np.ndarray, features: np.ndarray, bits: np.ndarray
    ) -> np.ndarray:
        """Scores of images, given those of their sub-pixels, and bits/dim."""
        if self.score == "complexity":
            sizes = picture_files.least_bytes(images, self.model.num_levels)
            return bits - 8 * sizes / images[0].size
        if self.score == "typicality":
            return self._typicality(bits)
        return features.mean(axis=(1, 2, 3), dtype="float64")

    def _typicality(self, bits: np.ndarray) -> np.ndarray:
        if self.expected is None:
            raise ValueError(
                "The score 'typicality' needs the mean of known images. "
                "Received: none. Call `fit` first."
            )
        return np.abs(bits - self.expected)

    def _set_threshold(
        self, scores: np.ndarray, threshold_perc: float
    ) -> float:
        self.threshold = float(np.percentile(scores, threshold_perc))
        return self.threshold

    def _checked(self, images: Any) -> np.ndarray:
        return check_images(
            np.asarray(images), self.model.image_shape, self.model.num_levels
        )

    def _check_type(self, outlier_type: str) -> None:
        check_choice("outlier_type", outlier_type, OUTLIER_TYPES)
        if outlier_type == "feature" and self.score not in _ADDITIVE:
            raise ValueError(
                "Sub-pixels have scores of their own for "
                f"{' and '.join(map(repr, _ADDITIVE))}. Received: "
                f"outlier_type='feature', score={self.score!r}. Use one of "
                "those scores, or whole images."
            )


def find_outliers(
    model: Any,
    data: Any,
    reference: Any,
    score: str = "complexity",
    *,
    background: Any = None,
    threshold_perc: float = 95.0,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> OutliersResult:
    """Find images that are unlike others.

    A detector that is fitted to `reference`, with its threshold, in one call.

    Args:
        model: `PixelModel`, trained on images as they should be.
        data: images to judge: integer levels `(images, height, width,
            channels)`, or `ImageData`.
        reference: likewise, images as they should be that the model was not
            trained on.
        score, background: see `OutlierDetector`. Without a background the
            score "likelihood_ratio" trains one, on `reference`.
        threshold_perc: float in (0, 100). Percentage of the reference that
            are no outliers. Defaults to `95.0`.
        batch_size: int. Images that go through the network at once. Defaults
            to `32`.
        progress: function called with the number of images done and their
            total number. Defaults to `None`.

    Returns:
        `OutliersResult`.

    Raises:
        TypeError, ValueError: if images or arguments are wrong.
    """
    detector = OutlierDetector(
        model, score, background=background, batch_size=batch_size
    )
    _check_percentage(threshold_perc)
    if score == "typicality":
        # `fit` and `infer_threshold` would each score the same images.
        bits = detector._bits_per_dim(reference)
        detector.expected = float(bits.mean())
        detector._set_threshold(detector._typicality(bits), threshold_perc)
    else:
        detector.fit(reference)
        detector.infer_threshold(reference, threshold_perc)
    return detector.predict(data, progress=progress)


def mutate(
    images: Any, num_levels: int, rate: float, seed: int | None = None
) -> np.ndarray:
    """Replace sub-pixels by random levels (Ren et al., 2019, section 3).

    Args:
        images: integer levels, of any shape.
        num_levels: int.
        rate: float in (0, 1). Share of the sub-pixels that are drawn anew,
            each level as probable as any other.
        seed: int, or `None`.

    Returns:
        uint8 array of the same shape.
    """
    check_number("rate", rate, above=0, most=1)
    generator = np.random.default_rng(seed)
    images = np.asarray(images)
    others = generator.integers(num_levels, size=images.shape)
    chosen = generator.random(images.shape) < rate
    return np.where(chosen, others, images).astype("uint8")


def _check_percentage(threshold_perc: float) -> None:
    check_number("threshold_perc", threshold_perc, above=0)
    check_number("100 - threshold_perc", 100 - threshold_perc, above=0)


def _check_same_images(model: Any, background: Any) -> None:
    """Refuse a background model of images of another kind."""
    ours, theirs = ((*x.image_shape, x.num_levels) for x in (model, background))
    if ours != theirs:
        raise ValueError(
            "`background` must be a model of the same images. Received: "
            f"image_shape={background.image_shape}, num_levels="
            f"{background.num_levels} for a model of {model.image_shape}, "
            f"{model.num_levels}. Make one by `fit`."
        )
