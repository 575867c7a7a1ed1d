"""What happens between steps: history, evaluation, pictures, checkpoints."""

import math
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Self

import keras
import numpy as np

from keras_pixel.data import ImageData
from keras_pixel.data import image_sheet
from keras_pixel.data import save_picture
from keras_pixel.levels import nats_to_bits_per_dim
from keras_pixel.models import PixelModel
from keras_pixel.training.building import copy_average
from keras_pixel.training.checkpoint import Checkpoints
from keras_pixel.training.checkpoint import load_arrays
from keras_pixel.training.checkpoint import save_arrays
from keras_pixel.training.curve import learning_curve
from keras_pixel.training.devices import Devices
from keras_pixel.training.evaluation import evaluate
from keras_pixel.training.history import History
from keras_pixel.training.interruption import Interruption
from keras_pixel.training.progress import Pace
from keras_pixel.training.progress import Progress
from keras_pixel.training.recipe import Recipe
from keras_pixel.training.tensorboard import TensorBoard

SAMPLES = 16


class Bookkeeping(keras.callbacks.Callback):
    """Keras callback that acts at the end of every logging window.

    A window is one epoch of `fit`.

    Args:
        recipe: a `Recipe`.
        output_dir: path of the training's folder.
        eval_model: the same model in float32, for evaluation and samples.
        validation: images to evaluate on, or `None`.
        checkpoints: a `Checkpoints`.
        history: a `History`.
        progress: a `Progress`.
        tensorboard: a `TensorBoard`, or `None`.
        origin: dict of what each checkpoint says besides its step.
        stop: an `Interruption`.
        devices: `Devices` of the training.
    """

    # `on_train_batch_end` may lag behind training: Keras may call it from a
    # thread, and the device does not wait for the loss.
    async_safe = True

    def __init__(
        self,
        recipe: Recipe,
        output_dir: Path,
        eval_model: PixelModel,
        validation: ImageData | None,
        checkpoints: Checkpoints,
        history: History,
        progress: Progress,
        tensorboard: TensorBoard | None = None,
        *,
        origin: dict[str, Any],
        stop: Interruption,
        devices: Devices,
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.output_dir = output_dir
        self.eval_model = eval_model
        self.validation = validation
        self.checkpoints = checkpoints
        self.history = history
        self.progress = progress
        self.tensorboard = tensorboard
        self.origin = origin
        self.stop = stop
        self.devices = devices
        self.stopped = False
        self.schedule = recipe.make_schedule()
        self.best = self._read_best()
        self._draws = True
        self._lock = threading.Lock()
        self._first_bad: int | None = None
        self._epoch = 0
        self._window = recipe.log_every * recipe.accumulation_steps
        self._pace = Pace(recipe.steps)
        self.of_span(0, {})

    @property
    def ended(self) -> bool:
        """Whether the training has waited for a better evaluation in vain."""
        if self.recipe.patience is None:
            return False
        since = []
        if self.best is not None:
            steps, _ = self.history.column("validation_bits_per_dim")
            since = [step for step in steps if step > self.best["step"]]
        ended = np.array(len(since) >= self.recipe.patience)
        # After a resumption the others do not know what was before.
        return bool(self.devices.of_first(ended))

    @property
    def best_path(self) -> Path:
        return self.checkpoints.folder / "best.npz"

    def evaluate_start(self, model: PixelModel) -> None:
        """Measure the weights that a training starts from.

        They are the best unless it finds better ones.
        """
        if self.validation is None or self.best is not None:
            return
        weights = zip(self.eval_model.weights, model.weights, strict=True)
        for ours, theirs in weights:
            ours.assign(keras.ops.convert_to_numpy(theirs.value))
        self._evaluate(0)

    def of_span(self, begun: int, done: dict[str, Any]) -> Self:
        """Set where the next `fit` begins, and return the callback itself.

        Args:
            begun: int. Batches of its first window that are already done.
            done: dict. Metadata of the checkpoint that it begins with.
        """
        former = done.get("window", {}) if begun else {}
        self._begun = begun
        # Of another length if `log_every` has been changed since.
        self._former = former if former.get("batches") == begun else {}
        self._seconds_before = self.history.seconds + self._former.get(
            "seconds", 0
        )
        return self

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_begin(
        self, epoch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        self._epoch = epoch
        self._batches = 0
        self._window_began = time.perf_counter()
        if self.devices.num_processes > 1:
            return  # they stop together, at the end of a window
        self.stop.model = self.model
        if self.stop.is_set():
            self.model.stop_training = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        done = self._epoch * self._window + self._begun + batch
        step = done // self.recipe.accumulation_steps
        with self._lock:
            self._batches = max(self._batches, batch + 1)
            if not math.isfinite(logs["loss"]):
                first = self._first_bad
                self._first_bad = step if first is None else min(first, step)
        steps = (done + 1) / self.recipe.accumulation_steps
        self._pace.begin(steps, time.perf_counter())
        self.progress.move(step + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        now = time.perf_counter()
        # A signal that arrives from here on waits for the end of this method,
        # or for the beginning of the next window.
        self.stop.model = None
        batches = self._begun + self._batches
        seconds = self._former.get("seconds", 0) + now - self._window_began
        step = epoch * self._window + batches
        step //= self.recipe.accumulation_steps
        self._check_finite(step, logs["loss"])
        logs = self._of_window(logs)
        if batches < self._window:
            window = {"batches": batches, "seconds": seconds, "logs": logs}
            self._save_and_stop(
                step, batches=epoch * self._window + batches, window=window
            )
            return
        left = self._pace.seconds_left(step, now)
        stopping = step < self.recipe.steps and self.devices.any(
            self.stop.is_set()
        )
        images = self._window * self.recipe.batch_size
        row = {
            "step": step,
            "bits_per_dim": logs.get(
                "bits_per_dim", nats_to_bits_per_dim(logs["loss"], 1)
            ),
            "learning_rate": self.schedule.at(step - 1),
            "images_per_second": images / seconds,
        }
        evaluates = self._due(self.recipe.evaluate_every, step)
        samples = self.recipe.sample_every and not (
            step % self.recipe.sample_every
        )
        if stopping:
            # The sender of the signal may not wait for long.
            evaluates = samples = False
        if evaluates or samples:
            copy_average(self.model, self.eval_model)
        if evaluates:
            row["validation_bits_per_dim"] = self._evaluate(step)
        if samples:
            self._sample(step)
        now = time.perf_counter()
        row["seconds"] = self._seconds_before + now - self._began
        self.history.append(row)
        if self.tensorboard is not None:
            self.tensorboard.row(row)
        self.progress.report(row, left)
        if evaluates and self.best is not None and self.ended:
            self._checkpoint(step)
            self.model.stop_training = True
            self.progress.say(
                f"Ended at step {step:,}: {self.recipe.patience} evaluations "
                f"were no better than that of step {self.best['step']:,}."
            )
            return
        if stopping or self._stops_now(step):
            self._save_and_stop(step)
        # A `fit` that finished an interrupted window is followed by another.
        elif self._begun or self._due(self.recipe.checkpoint_every, step):
            self._checkpoint(step)
        self._begun, self._former = 0, {}

    def _of_window(self, logs: Mapping[str, Any]) -> dict[str, float]:
        """Means over the whole window, some of it trained in another run."""
        former = self._former.get("logs", {})
        begun = self._begun if former else 0
        whole = begun + self._batches
        return {
            name: (begun * former.get(name, 0) + self._batches * float(value))
            / whole
            for name, value in logs.items()
        }

    def _stops_now(self, step: int) -> bool:
        """Whether a signal came during the evaluation."""
        alone = self.devices.num_processes == 1
        return alone and self.stop.is_set() and step < self.recipe.steps

    def _save_and_stop(self, step: int, **more: Any) -> None:
        self._checkpoint(step, **more)
        self.stopped = True
        self.model.stop_training = True
        self.progress.say(
            f"Stopped and saved at step {step:,}. The same command resumes it."
        )

    def _due(self, every: int, step: int) -> bool:
        return bool(every) and (step % every == 0 or step == self.recipe.steps)

    def _check_finite(self, step: int, loss: float) -> None:
        if self._first_bad is None and math.isfinite(loss):
            return
        # Steps are counted from 1 in messages: "after step 10".
        bad = step - 1 if self._first_bad is None else self._first_bad
        raise FloatingPointError(self._stop(bad + 1, f"loss={loss}"))

    def _stop(self, step: int, received: object) -> str:
        kept = [path.name for path in self.checkpoints.paths()[:1]]
        return (
            "A training must keep its numbers finite. Received: "
            f"{received}, step={step}, "
            f"learning_rate={self.schedule.at(step - 1):.4g}. Kept: "
            f"{kept[0] if kept else 'no checkpoint'}. Train into another "
            "folder with a lower learning rate, a longer warm-up or a smaller "
            "`clip_norm`."
        )

    def _evaluate(self, step: int) -> float:
        value = evaluate(
            self.eval_model,
            self.validation,
            batch_size=self.recipe.batch_size,
            num_images=self.recipe.validation_images,
        )["bits_per_dim"]
        if not math.isfinite(value):
            raise FloatingPointError(
                self._stop(step, f"validation_bits_per_dim={value}")
            )
        if self.best is None or value < self.best["bits_per_dim"]:
            self.best = {
                "step": step,
                "bits_per_dim": value,
                "validation_images": self.recipe.validation_images,
            }
            weights = {
                f"{index:05d}": keras.ops.convert_to_numpy(weight.value)
                for index, weight in enumerate(self.eval_model.weights)
            }
            save_arrays(self.best_path, weights, self.best)
        return value

    def _read_best(self) -> dict[str, Any] | None:
        if not self.best_path.exists():
            return None
        try:
            best = load_arrays(self.best_path)[1]
        except ValueError as error:
            self.progress.say(f"{error} Continuing without it.")
            return None
        # Values measured on other images cannot be compared.
        images = self.recipe.validation_images
        return best if best.get("validation_images", images) == images else None

    def _sample(self, step: int) -> None:
        labels = None
        if self.eval_model.num_classes is not None:
            labels = np.arange(SAMPLES) % self.eval_model.num_classes
        images = self.eval_model.sample(
            SAMPLES, labels=labels, seed=self.recipe.seed
        )
        sheet = image_sheet(images, self.eval_model.num_levels)
        path = self.output_dir / "samples" / f"step-{step:09d}.png"
        save_picture(sheet, path)

    def _checkpoint(self, step: int, **more: Any) -> None:
        try:
            self.checkpoints.save(
                self.model, {**self.origin, "step": step, **more}
            )
        except FloatingPointError as error:
            raise FloatingPointError(self._stop(step, error)) from error
        self._draw_curve()

    def _draw_curve(self) -> None:
        if not self._draws:
            return
        try:
            curve = learning_curve(self.history)
        except ImportError as error:
            self._draws = False
            self.progress.say(
                f"No learning curve is drawn: {error} The numbers are in "
                "history.csv."
            )
            return
        save_picture(curve, self.output_dir / "curve.png")
