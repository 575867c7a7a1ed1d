"""Plain use from Python starts without TensorFlow's lines."""

import os
import subprocess
import sys

import pytest

from tests.support.imports import ROOT

PROGRAM = """
import numpy as np
import keras_pixel

size = {"filters": 2, "num_blocks": 0, "head_filters": 0}
model = keras_pixel.PixelCNN(image_shape=(1, 1, 1), num_levels=2, **size)
model.log_prob(np.ones((1, 1, 1, 1), int))
"""


@pytest.mark.parametrize("level", [None, "0"])
def test_lines_of_the_start_are_shown_on_request_only(level):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    environment["KERAS_BACKEND"] = "tensorflow"
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert bool(done.stderr) == (level == "0"), done.stderr
