import sys

import numpy as np
import pytest

from keras_pixel.training import learning_curve
from keras_pixel.training.history import History


def row(step, **values):
    return {
        "step": step,
        "bits_per_dim": 5 - step / 10,
        "validation_bits_per_dim": 5.5 if step == 20 else None,
        "learning_rate": 0.1,
        "images_per_second": 1.0,
        "seconds": 1.0,
        **values,
    }


def test_learning_curve_is_drawn_with_any_number_of_rows(tmp_path):
    pytest.importorskip("matplotlib")
    history = History(tmp_path / "history.csv")
    assert learning_curve(history).size == (720, 400)
    for step in (10, 20, 30):
        history.append(row(step))
        curve = np.asarray(learning_curve(history))
    blue = (curve == (0x1F, 0x6F, 0xB2)).all(axis=-1)
    orange = (curve == (0xD9, 0x66, 0x0B)).all(axis=-1)
    # The training curve falls from the left to the right; the picture's rows
    # are counted from the top. Above lies the legend.
    y, x = np.nonzero(blue[100:])
    assert y[x.argmax()] > y[x.argmin()]
    assert orange.any()


def test_values_that_are_all_the_same(tmp_path):
    pytest.importorskip("matplotlib")
    history = History(tmp_path / "history.csv")
    for step in (10, 20):
        history.append(row(step, bits_per_dim=2.0))
    assert learning_curve(history, size=(300, 200)).size == (300, 200)


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    history = History(tmp_path / "history.csv")
    with pytest.raises(ImportError, match=r"keras-pixel\[plot\]"):
        learning_curve(history)
