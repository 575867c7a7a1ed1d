"""Classification: right where the answer is known, and measured rightly."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_pixel import cli
from keras_pixel import presets
from keras_pixel import tasks
from keras_pixel.cli.pictures import read_split
from keras_pixel.models import PixelCNN

NAMES = ("low", "high")


class Told:
    """A model of two classes that says what it is made to say."""

    name = "told"
    num_classes = 2
    class_names = NAMES

    def __init__(self, probabilities):
        self.probabilities = np.float32(probabilities)

    def classify(self, images, batch_size):
        found = self.probabilities[images[:, 0, 0, 0]]
        return np.stack([1 - found, found], axis=1)


@pytest.fixture
def result():
    # Four images: rightly 0.9, rightly 0.9, wrongly 0.7, rightly 0.6.
    model = Told([0.1, 0.9, 0.7, 0.6])
    images = np.arange(4, dtype="uint8").reshape(4, 1, 1, 1)
    return tasks.classify(model, (images, np.array([0, 1, 0, 1])))


def test_numbers_by_hand(result):
    assert result.accuracy == 0.75
    assert result.confusion == ((1, 1), (0, 2))
    # Bins of 1/15: 0.9 twice, right: off by 0.1; 0.7 wrong; 0.6 right.
    assert result.calibration_error == pytest.approx(
        (2 * 0.1 + 0.7 + 0.4) / 4, abs=1e-6
    )
    assert [n for n, _, _ in result.bins] == [1, 1, 2]


def test_table(result):
    assert result.table() == (
        "| class | images | accuracy | mostly taken for |\n"
        "| --- | --- | --- | --- |\n"
        "| low | 2 | 50.0 | high (1) |\n"
        "| high | 2 | 100.0 | – |\n"
        "| **all** | 4 | **75.00** | calibration error 32.50 |\n"
    )


def test_result_is_saved_whole(result, tmp_path):
    pytest.importorskip("matplotlib")
    folder = result.save(tmp_path / "new")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["classification.json", "classification.png", "table.md"]
    found = json.loads((folder / "classification.json").read_text())
    assert found["accuracy"] == 0.75
    with pytest.raises(FileExistsError):
        result.save(folder)


def test_wrong_data_is_refused():
    model, images = Told([0.1]), np.zeros((2, 1, 1, 1), "uint8")
    with pytest.raises(ValueError, match="one label each.*2 images, None"):
        tasks.classify(model, (images, None))
    with pytest.raises(ValueError, match="classes of the model.*from 0 to 2"):
        tasks.classify(model, (images, np.array([0, 2])))


def test_classes_of_folders_are_those_of_the_model_by_name(
    tmp_path, monkeypatch, capsys
):
    """Whichever of the model's classes there are, and in which order."""
    monkeypatch.chdir(tmp_path)
    model = PixelCNN(
        (2, 2, 1), 2, filters=4, num_blocks=1, head_filters=0, num_classes=3
    )
    model.class_names = ("owl", "cat", "dog")
    model.save_preset("preset")
    for name in ("cat", "owl"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(2):
            picture = Image.new("L", (2, 2), 255 * i)
            picture.save(tmp_path / "set" / name / f"{i}.png")
    found = read_split("./set", "all", "preset", model)
    assert found.class_names == model.class_names
    assert sorted(found.labels) == [0, 0, 1, 1]  # owls, then cats
    by_id = dict(zip(found.ids, found.labels, strict=True))
    assert by_id["cat/0.png"] == 1
    assert by_id["owl/1.png"] == 0
    (tmp_path / "set" / "owl").rename(tmp_path / "set" / "cow")
    with pytest.raises(SystemExit) as stop:
        cli.main(["classify", "preset", "./set", "--split", "all"])
    assert stop.value.code == 2
    assert "Received: ['cow'] as well" in capsys.readouterr().err


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    images = np.zeros((6, 2, 2, 1), "uint8")
    images[3:] = 1
    labels = np.repeat([0, 1], 3)
    model = PixelCNN(
        (2, 2, 1), 2, filters=4, num_blocks=1, head_filters=0, num_classes=2
    )
    model.class_names = NAMES
    model.compile("sgd")
    np.savez("set.npz", images=images, labels=labels)
    model.save_preset("preset")
    monkeypatch.setattr(presets, "load", lambda *args, **kwargs: model)
    args = ["classify", "preset", "set.npz", "--split", "all"]
    with pytest.raises(SystemExit) as stop:
        cli.main([*args, "--values", "levels", "-o", "found", "--json"])
    assert stop.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    # At first the labels change nothing: all images are taken for the first.
    assert printed["accuracy"] == 0.5
    assert printed["class_names"] == list(NAMES)
    assert printed == json.loads(
        (tmp_path / "found" / "classification.json").read_text()
    )
