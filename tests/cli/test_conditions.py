"""Labels and contexts on the command line."""

import json

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel import presets
from keras_pixel.cli import conditions
from tests.cli.test_commands import refused
from tests.cli.test_commands import run
from tests.support.cases import randomize

SIZES = {"filters": 4, "num_blocks": 1, "head_filters": 0}


def make(**arguments):
    return randomize(
        keras_pixel.models.PixelCNN((4, 4, 1), 4, **SIZES, **arguments)
    )


@pytest.fixture(scope="module")
def labelled():
    model = make(num_classes=3, label_dropout=0.5)
    model.class_names = ["cat", "dog", "owl"]
    return model


@pytest.fixture
def folder(labelled, tmp_path, monkeypatch):
    """Path of a preset; loading it gives the model compiled before."""
    monkeypatch.chdir(tmp_path)
    labelled.save_preset("preset")
    monkeypatch.setattr(presets, "load", lambda *args, **kwargs: labelled)
    return "preset"


def test_samples_take_labels_in_turn(capsys, folder, labelled):
    args = ["sample", folder, "-n", "5", "-o", "x.npy", "--seed", "3"]
    code, _, _ = run(capsys, *args, "--label", "dog", "--label", "cat")
    assert code == 0
    expected = labelled.sample(labels=[1, 0, 1, 0, 1], seed=3)
    np.testing.assert_array_equal(np.load("x.npy"), expected)
    code, _, _ = run(capsys, *args, "--label", "2", "--overwrite")
    np.testing.assert_array_equal(
        np.load("x.npy"), labelled.sample(5, labels=2, seed=3)
    )


def test_guidance(capsys, folder, labelled):
    args = ["sample", folder, "-n", "4", "-o", "x.npy", "--label", "1"]
    assert run(capsys, *args, "--guidance-scale", "3")[0] == 0
    expected = labelled.sample(4, labels=1, guidance_scale=3.0, seed=0)
    np.testing.assert_array_equal(np.load("x.npy"), expected)


def test_completions_and_scores_are_told(capsys, folder, labelled):
    images = labelled.sample(3, seed=1)
    np.save("images.npy", images)
    args = ["complete", folder, "images.npy", "-n", "2", "-o", "x.npy"]
    assert run(capsys, *args, "--label", "owl")[0] == 0
    mask = np.zeros((4, 4), bool)
    mask[:2] = True
    noise = np.random.default_rng(0).random((6, 4, 4, 1), "float32")
    np.testing.assert_array_equal(
        np.load("x.npy"),
        labelled.complete(
            np.repeat(images, 2, axis=0), mask, labels=2, noise=noise
        ),
    )
    code, out, _ = run(
        capsys, "score", folder, "images.npy", "--label", "cat", "--json"
    )
    assert code == 0
    np.testing.assert_allclose(
        [row["nats"] for row in json.loads(out)][:3],
        -labelled.log_prob(images, labels=0),
        rtol=1e-5,
    )


def test_info_names_the_classes(capsys, folder):
    assert "['cat', 'dog', 'owl']" in run(capsys, "info", folder)[1]


def test_context_comes_from_a_file(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    context = keras.Input((2,))
    encoder = keras.Model(context, keras.layers.Dense(3)(context))
    model = make(condition=encoder)
    monkeypatch.setattr(presets, "load", lambda *args, **kwargs: model)
    np.save("context.npy", np.ones((2, 2)))
    args = ["sample", "preset", "-n", "2", "-o", "x.npy"]
    assert run(capsys, *args, "--condition", "context.npy")[0] == 0
    np.testing.assert_array_equal(
        np.load("x.npy"), model.sample(2, condition=np.ones(2), seed=0)
    )


def test_evaluation_reads_the_labels_of_the_set(capsys, folder, labelled):
    images = labelled.sample(30, labels=np.arange(30) % 3, seed=0)
    labels = np.arange(30) % 3
    np.savez("set.npz", images=images, labels=labels)
    args = ["evaluate", folder, "set.npz", "--split", "all"]
    code, out, err = run(capsys, *args, "--values", "levels", "--json")
    assert code == 0, err
    expected = -labelled.log_prob(images, labels=labels).mean()
    assert json.loads(out)["nats"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--label", "3"], "from 0 to 2"),
        (["--label", "doge"], "Did you mean 'dog'"),
        (["--label", "dog", "--label", "1"], "by number or by name"),
        (["--condition", "no.npy"], "a .npy file that exists"),
        (["--guidance-scale", "2"], "needs `labels`"),
    ],
)
def test_wrong_options_are_refused(capsys, folder, options, message):
    args = ["sample", folder, "-n", "2", "-o", "x.npy", *options]
    assert message in refused(capsys, *args)


def test_files_that_hold_no_array_are_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"nothing")
    np.savez(tmp_path / "b.npz", a=np.ones(2))
    with pytest.raises(ValueError, match="a .npy file of numbers"):
        conditions.read(str(tmp_path / "a.npy"))
    with pytest.raises(ValueError, match="of one array"):
        conditions.read(str(tmp_path / "b.npz"))
