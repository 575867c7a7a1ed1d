"""The examples of conditions run at their smallest, on images made here."""

import numpy as np
import pytest

import keras_pixel
from examples import class_conditional
from examples import colourize
from examples import super_resolution


@pytest.fixture
def data(tmp_path):
    """Two classes of 8x8 RGB images, 30 for training and 10 for testing."""
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = random.integers(0, 256, size=(40, 8, 8, 3)).astype("uint8")
    path = tmp_path / "made.npz"
    np.savez(
        path,
        x_train=images[:30],
        y_train=labels[:30],
        x_test=images[30:],
        y_test=labels[30:],
    )
    return str(path)


def small(output, data):
    return [
        *("--output", str(output), "--dataset", data, "--levels", "4"),
        *("--steps", "2", "--batch-size", "4", "--filters", "4"),
        *("--test-images", "8"),
    ]


@pytest.mark.slow
def test_class_conditional_runs(tmp_path, data, capsys):
    found = class_conditional.main([*small(tmp_path, data), "--per-class", "2"])
    printed = capsys.readouterr().out
    assert "guidance scale 3" in printed
    assert "bits/dim on test images" in printed
    assert all(0 <= value < 9 for value in found.values())
    assert (tmp_path / "drawn.png").exists()
    model = keras_pixel.load(tmp_path / "preset")
    assert model.conditions.num_classes == 2
    assert model.label_dropout == 0.1


@pytest.mark.parametrize(
    "example, shape",
    [
        pytest.param(colourize, (8, 8, 1), id="colourize"),
        pytest.param(super_resolution, (2, 2, 3), id="super_resolution"),
    ],
)
@pytest.mark.slow
def test_restoring_runs(example, shape, tmp_path, data, capsys):
    found = example.main(small(tmp_path, data))
    assert "levels off the input" in capsys.readouterr().out
    assert all(0 < value < 9 for value in found.values())
    assert (tmp_path / "drawn.png").exists()
    model = keras_pixel.load(tmp_path / "preset")
    condition = np.zeros(shape, "float32")
    assert model.sample(1, condition=condition).shape == (1, 8, 8, 3)


def test_luma_of_primary_colours():
    colours = np.eye(3)[None, None] * 100  # one row of three pixels
    np.testing.assert_allclose(
        colourize.luma(colours)[0, 0, :, 0], [29.9, 58.7, 11.4]
    )


def test_coarse_image_is_the_mean_of_blocks():
    images = np.zeros((1, 4, 8, 1), "uint8")
    images[0, 1, 2] = 16  # one of 16 pixels
    images[0, :, 4:] = 3
    np.testing.assert_array_equal(
        super_resolution.coarse(images)[0, :, :, 0], [[1.0, 3.0]]
    )
