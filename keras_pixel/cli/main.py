"""The command `keras-pixel`: every command calls one public function.

Keras and its backend are imported inside the commands, so that `--help` and
mistyped options are answered at once.
"""

import os
import sys
from typing import Annotated

import typer

from keras_pixel import __version__
from keras_pixel.cli import drawing
from keras_pixel.cli import export
from keras_pixel.cli import presets
from keras_pixel.cli import scoring
from keras_pixel.cli import serve
from keras_pixel.cli import training

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# What a wrong argument, a missing file or extra, or an unfit model raises.
_BAD_INPUT = (ValueError, TypeError, OSError, ImportError, NotImplementedError)


def _show_version(shown: bool):
    if shown:
        print(f"keras-pixel {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Version."
        ),
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error arose.")
    ] = False,
):
    """Autoregressive image models: sample, complete, score, train."""


app.command("list")(presets.list_command)
app.command()(presets.info)
app.command()(drawing.sample)
app.command()(drawing.complete)
app.command()(scoring.score)
app.command()(training.train)
app.command()(scoring.evaluate)
app.command()(export.export)
app.command()(serve.serve)


def main(args=None):
    """Runs the command line and exits: 0 done, 2 bad input, 130 Ctrl-C."""
    args = sys.argv[1:] if args is None else list(args)
    try:
        app(args=args, prog_name="keras-pixel")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # `keras-pixel list | head`: nobody reads on, which is no error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (*_BAD_INPUT, FloatingPointError, RuntimeError) as error:
        if args[:1] == ["--traceback"]:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        typer.secho(f"Error: {text}", fg="red", err=True)
        sys.exit(2 if isinstance(error, _BAD_INPUT) else 1)
