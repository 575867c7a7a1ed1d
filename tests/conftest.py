"""Seeds every test and keeps slow and GPU tests out unless asked for."""

import functools
import gc
import os
import random
import signal
import sys

import numpy as np
import pytest

# Before TensorFlow is imported: its start-up lines hide the test report.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What a test draws is compiled, run once and thrown away.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# Samplers are compiled by XLA where XLA is what is asked about: elsewhere they
# draw a few tiny images, and compiling would take longer than all the rest.
XLA_VARIABLE = "KERAS_PIXEL_XLA"
WITH_XLA = ("/tests/conformance/test_sampling.py", "/tests/sampling/")

# What is asked of numbers is computed operation by operation: a graph would be
# built for one batch and thrown away. `tests/conformance/test_graphs.py` holds
# that graphs give the same. What is not listed here runs as graphs, and what is
# marked with `graphs`: it runs one program again and again.
EAGERLY = (
    *("/tests/models/", "/tests/presets/", "/tests/sampling/"),
    *(
        f"/tests/conformance/test_{name}.py"
        for name in (
            *("cached", "candidates", "causality", "compositions"),
            *("conditional", "dtype", "lora", "normalisation", "orders"),
            "saving",
        )
    ),
)

pytest_plugins = ["tests.support.exported"]

# A shell ignores Ctrl-C for what it runs in the background, and tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SWITCHED_MARKERS = ("slow", "gpu")


def pytest_addoption(parser):
    for marker in SWITCHED_MARKERS:
        parser.addoption(
            f"--{marker}",
            action="store_true",
            help=f"run the tests marked {marker} too",
        )


def pytest_collection_modifyitems(config, items):
    for marker in SWITCHED_MARKERS:
        if config.getoption(f"--{marker}"):
            continue
        skip = pytest.mark.skip(reason=f"needs --{marker}")
        for item in items:
            if item.get_closest_marker(marker):
                item.add_marker(skip)


def pytest_collection_finish():
    # The modules of TensorFlow are never garbage, and to look at each of their
    # objects again and again takes a twentieth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_runtest_setup(item):
    path = item.path.as_posix()
    with_xla = any(name in path for name in WITH_XLA)
    os.environ[XLA_VARIABLE] = "1" if with_xla else "0"
    if "tensorflow" in sys.modules:
        if not item.config.getoption("--slow"):
            _leave_graphs_as_they_are()
        _leave_tracebacks_as_they_are()
        eagerly = any(name in path for name in EAGERLY)
        eagerly &= item.get_closest_marker("graphs") is None
        sys.modules["tensorflow"].config.run_functions_eagerly(eagerly)


@functools.cache
def _leave_graphs_as_they_are():
    # Most graphs run once: to improve them takes longer than to run them. With
    # `--slow`, and in programs of their own, they are improved as users' are.
    options = {"disable_meta_optimizer": True}
    sys.modules["tensorflow"].config.optimizer.set_experimental_options(options)


@functools.cache
def _leave_tracebacks_as_they_are():
    # Each operation is called through a function that would shorten them.
    sys.modules["keras"].config.disable_traceback_filtering()
    sys.modules["tensorflow"].debugging.disable_traceback_filtering()


@pytest.fixture(autouse=True)
def seed():
    """Same random numbers in every test, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    # Only where a test has imported Keras: tests without it stay fast.
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)
