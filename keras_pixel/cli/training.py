"""The command `train`."""

from keras_pixel.cli import options
from keras_pixel.cli import output as terminal
from keras_pixel.cli import paths


def train(
    recipe: options.Recipe,
    output: options.RunFolder,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    resume: options.Resume = True,
    tensorboard: options.TensorBoard = False,
    quiet: options.Quiet = False,
):
    """Train a model, or go on with a stopped training."""
    paths.check_path(output)
    terminal.start_keras()
    from keras_pixel import training

    result = training.train(
        recipe,
        output,
        resume=resume,
        data_dir=data_dir,
        download=download,
        progress=not quiet,
        tensorboard=tensorboard,
    )
    print(f"{result.preset_dir}: the model after {result.step:,} steps")
