"""Asks a command for help, and prints what that imported of the slow."""

import sys

from keras_pixel import cli

try:
    cli.main(["sample", "--help"])
finally:
    slow = ("tensorflow", "keras", "jax")
    print([name for name in sys.modules if name in slow])
