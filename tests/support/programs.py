"""Programs that tests run in a process of their own."""

import os
import subprocess
import sys

from tests.support.imports import ROOT

PROGRAMS = ROOT / "tests" / "programs"


def command(name, *arguments):
    """The command line of a program in `tests/programs`."""
    return [sys.executable, str(PROGRAMS / name), *map(str, arguments)]


def run_program(name, *arguments, timeout=None, **environment):
    """Run a program in `tests/programs`, and capture what it prints.

    Args:
        name: str. Its file.
        arguments: its arguments.
        timeout: seconds after which it is killed, or `None`.
        environment: variables of its environment; `None` removes one.

    Returns:
        `subprocess.CompletedProcess`.
    """
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        command(name, *arguments),
        cwd=ROOT,
        env={k: v for k, v in variables.items() if v is not None},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
