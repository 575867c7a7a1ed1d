"""The commands `train` and `finetune`."""

import typer

from keras_pixel.cli import options
from keras_pixel.cli import output as terminal
from keras_pixel.cli import paths


def train(
    recipe: options.Recipe,
    output: options.RunFolder = None,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    resume: options.Resume = True,
    tensorboard: options.TensorBoard = False,
    quiet: options.Quiet = False,
    dry_run: options.DryRun = False,
    devices: options.Devices = None,
    coordinator: options.Coordinator = None,
    num_processes: options.NumProcesses = None,
    process_id: options.ProcessId = None,
) -> None:
    """Train a model, or resume a training that was stopped."""
    together = (coordinator, num_processes, process_id)
    if None in together and any(x is not None for x in together):
        raise typer.BadParameter(
            "Processes that train together each need --coordinator, "
            "--num-processes and --process-id. Received: "
            f"{coordinator}, {num_processes}, {process_id}.",
            param_hint="--coordinator",
        )
    if dry_run:
        terminal.start_keras()
        from keras_pixel.training import dry_run as measure

        print(measure(recipe))
        return
    if output is None:
        raise typer.BadParameter(
            "It must be the folder of the training, unless there is "
            "--dry-run. Received: none.",
            param_hint="--output",
        )
    paths.check_path(output)
    terminal.start_keras()
    from keras_pixel import training

    if coordinator and num_processes is not None and process_id is not None:
        training.join_processes(coordinator, num_processes, process_id)
    result = training.train(
        recipe,
        output,
        resume=resume,
        data_dir=data_dir,
        download=download,
        progress=not quiet,
        tensorboard=tensorboard,
        devices=_number_or_all(devices),
    )
    if result is not None:
        print(f"{result.preset_dir}: the model after {result.step:,} steps")


def _number_or_all(devices: str | None) -> int | str | None:
    if devices in (None, "all"):
        return devices
    try:
        return int(devices)
    except ValueError:
        raise typer.BadParameter(
            f'It must be a number or "all". Received: {devices!r}.',
            param_hint="--devices",
        ) from None


def finetune(
    model: options.Preset,
    data: options.FinetuneData,
    output: options.FinetuneFolder,
    image_shape: options.Shape = None,
    num_levels: options.NumLevels = None,
    labels: options.WithLabels = False,
    epochs: options.Epochs = 10,
    batch_size: options.BatchSize = 16,
    learning_rate: options.LearningRate = None,
    freeze: options.Freeze = None,
    lora_rank: options.LoraRank = None,
    flip: options.Flip = False,
    patience: options.Patience = 3,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
    precision: options.Precision = options.PrecisionChoice.float32,
    seed: options.Seed = 0,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    resume: options.Resume = True,
    quiet: options.Quiet = False,
    devices: options.Devices = None,
) -> None:
    """Train a model further on images of your own."""
    paths.check_path(output)
    terminal.start_keras()
    from keras_pixel import training

    result = training.finetune(
        model,
        data,
        output,
        image_shape=image_shape,
        num_levels=num_levels,
        labels=labels,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        freeze=freeze or (),
        lora_rank=lora_rank,
        flip=flip,
        patience=patience,
        resize=resize,
        values=values,
        precision=precision,
        seed=seed,
        data_dir=data_dir,
        download=download,
        resume=resume,
        progress=not quiet,
        devices=_number_or_all(devices),
    )
    print(result)
