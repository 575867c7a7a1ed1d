"""From a recipe to a trained preset, in one folder, resumable at any time."""

import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import keras

from keras_pixel.data import ImageData
from keras_pixel.files import PathLike
from keras_pixel.files import one_owner
from keras_pixel.files import remove_leftovers
from keras_pixel.models import PixelModel
from keras_pixel.training import building
from keras_pixel.training import machine
from keras_pixel.training import resuming
from keras_pixel.training.bookkeeping import Bookkeeping
from keras_pixel.training.checkpoint import Checkpoints
from keras_pixel.training.checkpoint import load_arrays
from keras_pixel.training.devices import Devices
from keras_pixel.training.history import History
from keras_pixel.training.interruption import Interruption
from keras_pixel.training.lora import enable_lora
from keras_pixel.training.progress import Progress
from keras_pixel.training.recipe import Recipe
from keras_pixel.training.tensorboard import TensorBoard
from keras_pixel.training.warm_start import freeze
from keras_pixel.training.warm_start import warm_start


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """The result of a training.

    Args:
        preset_dir: path of the preset folder, for `keras_pixel.load`.
        step: int. Step of the published weights.
        bits_per_dim: float. Mean over the training images of the last
            window; `None` if nothing was trained.
        validation_bits_per_dim: float. That of the published weights, or
            `None`.
        seconds: float. Seconds of training, over all runs.
    """

    preset_dir: Path
    step: int
    bits_per_dim: float | None
    validation_bits_per_dim: float | None
    seconds: float


def train(
    recipe: Recipe | dict[str, Any] | PathLike,
    output_dir: PathLike,
    resume: bool = True,
    data_dir: PathLike | None = None,
    download: bool = False,
    progress: bool = True,
    tensorboard: bool = False,
    devices: int | str | None = None,
) -> TrainingResult | None:
    """Train a model as a recipe says, and save it as a preset.

    The same call resumes a stopped training from its last checkpoint, however
    it was stopped; on a CPU, with the same number of threads, it ends with the
    same weights, bit for bit, as a training that was never stopped. SIGINT
    (Ctrl-C) and SIGTERM save a checkpoint after the current batch and stop; a
    second one stops at once.

    `output_dir` gets `recipe.json`, `history.csv`, `curve.png` (where
    matplotlib is installed), `checkpoints/` (the two newest, and the best by
    validation), `samples/` and at the end `preset/`: the averaged weights in
    float32.

    Keras' random seed is set to the recipe's.

    Args:
        recipe: a `Recipe`, a dict, or the path of a JSON file.
        output_dir: path of the training's folder, created if necessary.
        resume: bool. Whether to resume a training found in `output_dir`;
            with `False` finding one is an error. Defaults to `True`.
        data_dir: path of a folder for data sets; see `load_data`.
        download: bool. Whether a data set may be downloaded. Defaults to
            `False`.
        progress: bool. Whether to report progress. Defaults to `True`.
        tensorboard: bool. Whether to write `tensorboard/` in `output_dir`,
            which needs the package of that name. Defaults to `False`.
        devices: int, how many devices share each batch, or "all". Defaults to
            `None`: all where several processes have joined (see
            `join_processes`), otherwise one. Needs JAX.

    Returns:
        A `TrainingResult`. In other processes than the first, which alone
        writes to `output_dir`, `None`.

    Raises:
        ValueError: if the recipe differs from the one that `output_dir` was
            started with in more than names, number of steps, and how often to
            log, save, evaluate and sample; if the images differ from those it
            was started with; if none of its checkpoints can be read; or if
            the devices cannot share a batch evenly.
        FloatingPointError: if the loss or a weight becomes NaN or infinite.
    """
    recipe = Recipe.of(recipe)
    output_dir = Path(output_dir).expanduser()
    if output_dir.exists() and not output_dir.is_dir():
        raise NotADirectoryError(
            "`output_dir` must be a folder. Received: "
            f"output_dir={str(output_dir)!r}, a file. Give another path."
        )
    used = Devices(devices, recipe.batch_size)
    with contextlib.ExitStack() as stack:
        if not used.is_first:
            # It keeps the same books as the first, for nobody.
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            output_dir = Path(folder)
            progress = tensorboard = False
        stack.enter_context(one_owner(output_dir))
        stack.enter_context(used.scope())
        report = stack.enter_context(Progress(recipe.steps, shown=progress))
        resuming.check_folder(recipe, output_dir, resume)
        board = None
        if tensorboard:
            board = TensorBoard(output_dir / "tensorboard")
            stack.callback(board.close)
        options: dict[str, Any] = {"data_dir": data_dir, "download": download}
        stop = Interruption()
        result = _train(recipe, output_dir, options, report, board, stop, used)
    # Only once the folder and the terminal are in order.
    if stop.is_set():
        stop.deliver()
    return result


def _train(
    recipe: Recipe,
    output_dir: Path,
    options: dict[str, Any],
    report: Progress,
    board: TensorBoard | None,
    stop: Interruption,
    devices: Devices,
) -> TrainingResult | None:
    keras.utils.set_random_seed(recipe.seed)
    model = building.build_model(recipe, recipe.precision)
    with devices.scope(alone=True):
        eval_model = building.build_model(recipe, "float32")
    for one in (model, eval_model):
        freeze(one, recipe.freeze)
    if recipe.lora_rank is not None:
        # Before the checkpoint: which layers are made anew decides which
        # weights there are.
        remade = _start(recipe, model, report)
        enable_lora(model, recipe.lora_rank, skip=remade)
        with devices.scope(alone=True):
            enable_lora(eval_model, recipe.lora_rank, skip=remade)
    building.compile_model(model, recipe)
    checkpoints = Checkpoints(output_dir / "checkpoints")
    for folder in (output_dir, output_dir / "samples"):
        remove_leftovers(folder)
    devices.share_checkpoints(checkpoints)
    done = _restore(recipe, model, checkpoints, report)
    # Read last: errors in the model are reported first.
    images = recipe.load_data("train", **options)
    if eval_model.num_classes is not None:
        eval_model.class_names = images.class_names
    validation = None
    if recipe.evaluate_every:
        validation = recipe.load_data("validation", **options)
    origin: dict[str, Any] = {
        "fingerprint": recipe.fingerprint(),
        "data": {
            "train": images.fingerprint(),
            "validation": validation and validation.fingerprint(),
        },
        "threads": machine.num_threads(),
        "initial_weights": resuming.digest_of_weights(recipe),
    }
    if done is not None:
        resuming.check_data(done.get("data"), origin["data"], images, report)
        resuming.check_initial_weights(
            done.get("initial_weights"), origin, recipe
        )
        machine.compare_threads(
            done.get("threads"), origin["threads"], report.say
        )
    elif (checkpoints.folder / "best.npz").exists():
        # Left by a training that ended before its first checkpoint.
        best = checkpoints.folder / "best.npz"
        best.replace(best.with_name("best.former.npz"))
    done = done or {"step": 0}
    recipe.to_json(output_dir / "recipe.json")
    history = History(output_dir / "history.csv")
    history.keep_until(done["step"])
    bookkeeping = Bookkeeping(
        recipe,
        output_dir,
        eval_model,
        validation,
        checkpoints,
        history,
        report,
        board,
        origin=origin,
        stop=stop,
        devices=devices,
    )
    if not done["step"] and recipe.initial_weights and recipe.publish == "best":
        bookkeeping.evaluate_start(model)
    if done["step"] < recipe.steps and not bookkeeping.ended:
        with stop:
            _fit(recipe, model, images, bookkeeping, done)
        if bookkeeping.stopped:
            return None
    # `fit` leaves the averaged weights in the model; what is published comes
    # from the checkpoint, which a resumed run has as well.
    checkpoints.restore(model, report.say)
    building.copy_average(model, eval_model)
    if not devices.is_first:
        return None
    return _publish(recipe, output_dir, eval_model, bookkeeping, history)


def _fit(
    recipe: Recipe,
    model: PixelModel,
    images: ImageData,
    bookkeeping: Bookkeeping,
    done: dict[str, Any],
) -> None:
    """Train from the last checkpoint to the end of the recipe."""
    window = recipe.log_every * recipe.accumulation_steps
    batches = done.get("batches", done["step"] * recipe.accumulation_steps)
    first, begun = divmod(batches, window)
    rest = first + (begun > 0)
    # An epoch of Keras is a window of the history. An interrupted one is
    # finished by a `fit` of its own, because all epochs of a `fit` are equally
    # long.
    spans = [(first, rest, window - begun)] if begun else []
    spans.append((rest, recipe.steps // recipe.log_every, window))
    for start, end, length in spans:
        if start == end:
            continue
        model.fit(
            images.batches(
                recipe.batch_size,
                start_step=batches,
                shuffle=True,
                seed=recipe.seed,
                flip=recipe.data.get("flip", False),
                repeat=True,
                part=bookkeeping.devices.part,
            ),
            initial_epoch=start,
            epochs=end,
            steps_per_epoch=length,
            shuffle=False,
            verbose=0,
            callbacks=[bookkeeping.of_span(window - length, done)],
        )
        if bookkeeping.stopped or bookkeeping.ended:
            return
        batches = end * window
        if length < window:
            # `fit` has replaced the weights by their average.
            bookkeeping.checkpoints.restore(model, bookkeeping.progress.say)


def _start(recipe: Recipe, model: PixelModel, report: Progress) -> list[str]:
    """Take the recipe's initial weights.

    Returns:
        List of the names of the layers that have others, at least in part.
    """
    from keras_pixel import presets

    weights: Any = recipe.weights  # not `None` where this is called
    source = presets.load(weights)
    if recipe.warm_start:
        remade = warm_start(model, source)
        if remade:
            report.say(f"Made anew: {', '.join(remade)}.")
        return remade
    building.copy_initial_weights(model, source, recipe.initial_weights)
    # Of the conditions that the trained model lacks.
    trained = {layer.name for layer in source.layers}
    return [x.name for x in model.layers if x.weights and x.name not in trained]


def _restore(
    recipe: Recipe,
    model: PixelModel,
    checkpoints: Checkpoints,
    report: Progress,
) -> dict[str, Any] | None:
    metadata = checkpoints.restore(model, report.say)
    if metadata is None:
        if recipe.initial_weights is not None and recipe.lora_rank is None:
            _start(recipe, model, report)
        return None
    step = metadata["step"]
    # The images at a path are compared by content, if a checkpoint allows it.
    same = [recipe.former_fingerprint()]
    if "data" in metadata:
        same.append(recipe.fingerprint())
    if metadata["fingerprint"] not in same:
        raise ValueError(
            "A checkpoint must come from the recipe that resumes it. "
            f"Received: folder={str(checkpoints.folder)!r} with checkpoints "
            "of another recipe. Use another folder."
        )
    within_window = step % recipe.log_every and "batches" not in metadata
    if step > recipe.steps or within_window:
        raise ValueError(
            "A training can be resumed from a step that is a multiple of "
            "`log_every` and not beyond `steps`. Received: "
            f"log_every={recipe.log_every}, steps={recipe.steps}, with a "
            f"checkpoint of step {step}. Change them back."
        )
    report.say(f"Resuming from step {step:,}.")
    return metadata


def _publish(
    recipe: Recipe,
    output_dir: Path,
    eval_model: PixelModel,
    bookkeeping: Bookkeeping,
    history: History,
) -> TrainingResult:
    step = recipe.steps
    steps, values = history.column("validation_bits_per_dim")
    value = values[-1] if steps and steps[-1] == step else None
    if recipe.publish == "best":
        arrays, best = load_arrays(bookkeeping.best_path)
        step, value = best["step"], best["bits_per_dim"]
        for index, weight in enumerate(eval_model.weights):
            weight.assign(arrays[f"{index:05d}"])
    preset_dir = output_dir / "preset"
    eval_model.save_preset(
        preset_dir,
        metadata={
            "name": recipe.name,
            "description": recipe.description,
            "dataset": {"name": recipe.data["source"]},
            "training": {
                "step": step,
                "seconds": round(history.seconds),
                "validation_bits_per_dim": value,
                "validation_images": recipe.validation_images or "all",
            },
        },
        files={"recipe.json": recipe.to_json(folder=preset_dir).encode()},
        overwrite=True,
    )
    trained = history.column("bits_per_dim")[1]
    return TrainingResult(
        preset_dir=preset_dir,
        step=step,
        bits_per_dim=trained[-1] if trained else None,
        validation_bits_per_dim=value,
        seconds=history.seconds,
    )
