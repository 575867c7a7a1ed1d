"""What `info` says about how a model is drawn."""

import json

import pytest

import keras_pixel
from keras_pixel import cli
from keras_pixel import presets
from keras_pixel.cli import output
from keras_pixel.presets import folders


def info(path):
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["info", str(path)])
    return ended.value.code or 0


def drawn(capsys, path):
    assert info(path) == 0
    lines = capsys.readouterr().out.splitlines()
    found = [line.split(maxsplit=1)[1] for line in lines if "drawn" in line]
    return found[0].strip() if found else None


def small(**arguments):
    return keras_pixel.PixelCNN(
        (5, 6, 1),
        num_levels=4,
        filters=4,
        num_blocks=1,
        head_filters=4,
        **arguments,
    )


def test_wavefront(capsys, tmp_path):
    small(first_kernel_size=3).save_preset(tmp_path / "a")
    assert drawn(capsys, tmp_path / "a") == "wavefront of lag 2, 14 steps"


def test_lag_of_the_width_is_raster_order(capsys, tmp_path):
    small(first_kernel_size=13).save_preset(tmp_path / "a")
    assert drawn(capsys, tmp_path / "a") == "raster order, 30 steps"


def test_raster_order(capsys, tmp_path):
    model = keras_pixel.PixelRNN(
        (4, 4, 1),
        num_levels=4,
        variant="diagonal_bilstm",
        filters=4,
        num_layers=1,
        head_filters=4,
    )
    model.save_preset(tmp_path / "a")
    assert drawn(capsys, tmp_path / "a") == "raster order, 16 steps"


def test_forward_passes(capsys, tmp_path):
    model = keras_pixel.PixelCNNPlusPlus(
        (4, 4, 3), num_levels=4, filters=4, num_blocks=1, num_resolutions=1
    )
    model.save_preset(tmp_path / "a")
    assert drawn(capsys, tmp_path / "a") == (
        "a forward pass for each sub-pixel, 48 passes"
    )


def test_preset_of_an_earlier_version_is_built(capsys, tmp_path):
    path = small(first_kernel_size=3).save_preset(tmp_path / "a")
    metadata = json.loads((path / folders.METADATA_FILE).read_text())
    del metadata["decoding"]
    (path / folders.METADATA_FILE).write_text(json.dumps(metadata))
    assert drawn(capsys, path) == "wavefront of lag 2, 14 steps"
    config = json.loads((path / folders.CONFIG_FILE).read_text())
    config["registered_name"] = "elsewhere>Unknown"
    text = json.dumps(config)
    (path / folders.CONFIG_FILE).write_text(text)
    assert drawn(capsys, path) is None


def test_decoding_that_is_no_such_thing_is_refused(tmp_path, capsys):
    path = small().save_preset(tmp_path / "a")
    metadata = json.loads((path / folders.METADATA_FILE).read_text())
    metadata["decoding"]["steps"] = "many"
    (path / folders.METADATA_FILE).write_text(json.dumps(metadata))
    assert info(path) == 2
    assert "decoding.steps='many'" in capsys.readouterr().err


@pytest.mark.parametrize("name", presets.list_models())
def test_zoo_says_it(name):
    known = presets.read_metadata(name)["decoding"]
    model = presets.load(name, weights=False)
    assert presets.describe(model)["decoding"] == known


def test_thousands_have_commas():
    decoding = {"method": "cached", "lag": None, "steps": 1024}
    assert output.how_drawn(decoding) == "raster order, 1,024 steps"
