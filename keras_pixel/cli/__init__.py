"""The command line."""

from keras_pixel.cli.main import main

__all__ = ["main"]
