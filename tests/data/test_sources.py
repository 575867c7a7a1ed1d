"""What a string means never depends on what happens to load."""

import pathlib

import numpy as np
import pytest

from keras_pixel.data import load_data
from keras_pixel.data.sources import is_path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with folders named as a data set and as its configuration."""
    (tmp_path / "mnist").mkdir()
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "source",
    ["./mnist", "../x", "~/x", "/nowhere", "x/", "x.npy", "x.NPZ", "a.png"],
)
def test_what_looks_like_a_path_is_one_even_if_missing(here, source):
    assert is_path(source)


@pytest.mark.parametrize(
    "source",
    ["mnist", "cifar10:3.0.2", "imagenet_resized/32x32", "photos"],
)
def test_names_stay_names_even_where_a_folder_is_called_so(here, source):
    assert not is_path(source)


def test_a_slash_within_means_a_path_where_that_exists(here):
    assert is_path("photos/cats")
    assert not is_path("photos/dogs")


@pytest.mark.parametrize(
    "source", ["./none", "none.npz", "none/", pathlib.Path("mnist_")]
)
def test_missing_paths_are_said_to_be_missing(here, source):
    with pytest.raises(FileNotFoundError, match="which does not"):
        load_data(source)


@pytest.mark.parametrize("source", ["", "a b", "cifar10:", "no such?"])
def test_what_is_neither_is_refused(here, source):
    with pytest.raises(ValueError, match="neither a name nor an existing"):
        load_data(source)


@pytest.mark.parametrize(
    "options", [{"data_dir": "x"}, {"download": True}], ids=str
)
def test_options_of_data_sets_are_refused_elsewhere(here, options):
    for source in ("./mnist", np.zeros((2, 2, 2, 1), "uint8")):
        with pytest.raises(ValueError, match="belong to TFDS data sets"):
            load_data(source, **options)
