"""The demo's own part: cutting a sample sheet back into its images."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from keras_pixel.data import image_sheet

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def demo():
    path = ROOT / "tools" / "demo.py"
    spec = importlib.util.spec_from_file_location("demo", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("image_shape", "num_levels"),
    [((8, 8, 3), 256), ((8, 6, 1), 2), ((5, 8, 3), 200)],
)
def test_cut_sheet_gives_the_images_back(demo, image_shape, num_levels):
    images = np.random.randint(num_levels, size=(7, *image_shape))
    sheet = np.asarray(image_sheet(images, num_levels))
    cut = demo.cut_sheet(sheet, image_shape, num_levels)
    np.testing.assert_array_equal(cut, images)


def test_cut_sheet_refuses_a_sheet_of_other_images(demo):
    images = np.random.randint(256, size=(4, 8, 8, 3))
    sheet = np.asarray(image_sheet(images, 256))
    assert demo.cut_sheet(sheet, (8, 7, 3), 256) is None


def test_cut_sheet_refuses_an_empty_sheet(demo):
    sheet = np.full((20, 20, 3), 255, "uint8")
    assert demo.cut_sheet(sheet, (8, 8, 3), 256) is None


def test_runs(demo):
    assert demo.runs(np.array([0, 1, 1, 0, 1], bool)) == [(1, 2), (4, 1)]
    assert demo.runs(np.zeros(3, bool)) == []
