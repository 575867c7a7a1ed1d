"""The example of text runs at its smallest; its baselines by hand."""

import numpy as np
import pytest

import keras_pixel
from examples import text_bytes


@pytest.mark.slow
def test_runs(tmp_path, capsys):
    found = text_bytes.main(
        [
            *("--output", str(tmp_path), "--length", "32", "--steps", "3"),
            *("--filters", "4", "--modules", "11"),
        ]
    )
    assert "bits per byte" in capsys.readouterr().out
    assert all(0 < value < 9 for value in found.values())
    text = (tmp_path / "completions.txt").read_text()
    for prompt in text_bytes.PROMPTS:
        assert prompt in text
    assert (tmp_path / "bits.png").exists()
    model = keras_pixel.load(tmp_path / "preset")
    assert model.image_shape == (1, 32, 1)


def test_docstrings_are_in_two_parts_that_share_no_module():
    train, test = text_bytes.docstrings(11)
    assert len(train) > len(test) > 0
    assert train.dtype == np.uint8
    assert test.tobytes()[:200] not in train.tobytes()


def test_what_stands_in_the_training_text_costs_little():
    text = np.random.default_rng(0).integers(256, size=2000).astype("uint8")
    assert text_bytes.lzma_bits(text, text) < 0.5
    assert text_bytes.lzma_bits(text[:1000], text[1000:]) > 7.5
