"""The command `keras-pixel`: every command calls one public function.

Keras and its backend are imported inside the commands, so that `--help` and
mistyped options get an immediate answer.
"""

import errno
import os
import signal
import sys
import threading
from typing import Annotated
from typing import Any
from typing import NoReturn

import typer

from keras_pixel import __version__
from keras_pixel.cli import bulk
from keras_pixel.cli import compression
from keras_pixel.cli import demo
from keras_pixel.cli import drawing
from keras_pixel.cli import export
from keras_pixel.cli import presets
from keras_pixel.cli import scoring
from keras_pixel.cli import serve
from keras_pixel.cli import tasks
from keras_pixel.cli import training

# Typer does not give its base class a name.
_UsageError: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Raised for wrong arguments, missing files or extras, and unsuitable models.
_BAD_INPUT = (ValueError, TypeError, OSError, ImportError, NotImplementedError)


def _show_version(shown: bool) -> None:
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
        bool,
        typer.Option("--traceback", help="Show the traceback of an error."),
    ] = False,
) -> None:
    """Autoregressive image models: sample, complete, score, train."""


app.command("list")(presets.list_command)
app.command()(presets.info)
app.command()(presets.push)
app.command()(drawing.sample)
app.command()(drawing.complete)
app.command()(scoring.score)
app.command()(training.train)
app.command()(training.finetune)
app.command()(scoring.evaluate)
app.command()(tasks.probe)
app.command()(tasks.classify)
app.command()(tasks.outliers)
app.add_typer(bulk.app, name="bulk")
app.command()(compression.compress)
app.command()(compression.decompress)
app.command()(export.export)
app.command()(serve.serve)
app.command()(demo.demo)


class _Terminated(BaseException):
    """SIGTERM: as with Ctrl-C, finished work is written first."""


def _terminate(number: int, frame: Any) -> NoReturn:
    # A second one ends the process at once.
    signal.signal(number, signal.SIG_DFL)
    raise _Terminated


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    0: done; 1: failed; 2: bad input; 130: Ctrl-C; 143: SIGTERM.
    """
    args = sys.argv[1:] if args is None else list(args)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread:
        former = signal.signal(signal.SIGTERM, _terminate)
    try:
        _run(args)
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, former)


def _run(args: list[str]) -> NoReturn:
    try:
        # The code of a `typer.Exit`, else `None`.
        code = app(args=args, prog_name="keras-pixel", standalone_mode=False)
        sys.exit(code or 0)
    except KeyboardInterrupt:
        sys.exit(130)
    except _Terminated:
        sys.exit(143)
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.message, err=True)
            sys.exit(error.exit_code)
        command = error.ctx.command_path if error.ctx else "keras-pixel"
        _fail(f"{error.format_message()} Try '{command} --help' for help.", 2)
    except BrokenPipeError:
        # `keras-pixel list | head`: the reader has left, which is fine.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (*_BAD_INPUT, FloatingPointError, RuntimeError) as error:
        if args[:1] == ["--traceback"]:
            raise
        code = 2 if isinstance(error, _BAD_INPUT) else 1
        _fail(_in_words(error), code)
    except Exception as error:
        # TensorFlow's own, whose class is known only with TensorFlow.
        out_of_memory = isinstance(error, MemoryError) or (
            type(error).__name__ == "ResourceExhaustedError"
        )
        if args[:1] == ["--traceback"] or not out_of_memory:
            raise
        _fail(
            "The data of a command must fit in memory. Received: "
            f"{str(error)[:200] or 'no memory left'}. Use smaller images or a "
            "smaller --batch-size.",
            1,
        )


def _fail(text: str, code: int) -> NoReturn:
    typer.secho(f"Error: {' '.join(text.split())}", fg="red", err=True)
    sys.exit(code)


def _in_words(error: BaseException) -> str:
    """The message of an error, even if the operating system raised it."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error) or type(error).__name__
    where = f"{str(error.filename)!r}: " if error.filename else ""
    way_out = {
        errno.ENOSPC: "Make room on the disk, or write to another.",
        errno.EDQUOT: "Make room on the disk, or write to another.",
    }.get(error.errno, "Check the path and its permissions.")
    return (
        "Files must be readable and writable. Received: "
        f"{where}{error.strerror}. {way_out}"
    )
