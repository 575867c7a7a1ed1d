"""The example of audio runs at its smallest; its sound and baselines."""

import wave

import numpy as np
import pytest

import keras_pixel
from examples import audio_mu_law
from keras_pixel.data import Discretizer


@pytest.mark.slow
def test_runs(tmp_path, capsys):
    found = audio_mu_law.main(
        [
            *("--output", str(tmp_path), "--length", "32", "--steps", "3"),
            *("--filters", "4", "--notes", "6", "--seconds", "0.1"),
        ]
    )
    assert "bits per sample" in capsys.readouterr().out
    assert all(0 < value < 9 for value in found.values())
    with wave.open(str(tmp_path / "drawn.wav")) as file:
        assert file.getframerate() == audio_mu_law.RATE
        assert file.getnframes() == 800
    assert (tmp_path / "sound.png").exists()
    discretizer = keras_pixel.load(tmp_path / "preset").discretizer
    assert discretizer.strategy == "mu_law"


def test_string_repeats_itself_more_softly():
    string = audio_mu_law.pluck(1000.0, 200, np.random.default_rng(0))
    assert len(string) == 200
    # A period of 8 samples; each is the mean of two of the period before.
    expected = 0.498 * (string[10] + string[9])
    np.testing.assert_allclose(string[18], expected)
    assert np.abs(string[-8:]).max() < np.abs(string[:8]).max()


def test_straight_line_needs_few_bits():
    discretizer = Discretizer(256, low=-1.0, high=1.0)
    levels = np.arange(200, dtype="uint8")
    images = levels[None, None, :, None]
    bits = audio_mu_law.straight_line_bits(discretizer, levels, images)
    # All residuals are 0: 199 of 198 + 256 counts.
    np.testing.assert_allclose(bits, -np.log2(199 / 454))
