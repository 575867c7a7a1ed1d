"""Samples and completions of the command line."""

import numpy as np
import pytest
from PIL import Image

from keras_pixel.cli import pictures
from tests.cli import test_commands
from tests.cli.test_commands import read_picture
from tests.cli.test_commands import refused
from tests.cli.test_commands import run

# The fixtures of the tests beside, by the names that pytest looks for.
model, tiny, images = (
    test_commands.model,
    test_commands.tiny,
    test_commands.images,
)


def test_samples_in_each_format(capsys, tiny, model):
    expected = model.sample(3, seed=7)
    args = ["sample", tiny, "-n", "3", "--seed", "7", "--batch-size", "2"]
    assert run(capsys, *args, "-o", "a/x.npy")[0] == 0
    np.testing.assert_array_equal(np.load("a/x.npy"), expected)
    assert run(capsys, *args, "-o", "folder")[0] == 0
    for index, image in enumerate(expected):
        np.testing.assert_array_equal(
            read_picture(f"folder/{index}.png"), image[..., 0] * 85
        )
    code, out, _ = run(capsys, *args, "-o", "x.png", "--columns", "3")
    assert (code, out) == (0, "3 images in x.png\n")
    height, width = read_picture("x.png").shape[:2]
    assert width > 2 * height


def test_completion_keeps_what_is_known(capsys, tiny, images):
    args = ["complete", tiny, "pictures", "--fraction", "0.5", "-n", "2"]
    code, _, _ = run(capsys, *args, "--keep", "left", "-o", "x.npy")
    assert code == 0
    completed = np.load("x.npy")
    assert completed.shape == (10, 4, 4, 1)
    np.testing.assert_array_equal(
        completed[:, :, :2], np.repeat(images, 2, axis=0)[:, :, :2]
    )


def test_completion_with_a_mask(capsys, tiny, images):
    mask = np.eye(4, dtype="uint8") * 255
    Image.fromarray(mask).save("mask.png")
    args = ["complete", tiny, "images.npy", "--mask", "mask.png"]
    assert run(capsys, *args, "-o", "x.npy")[0] == 0
    known = mask == 255
    np.testing.assert_array_equal(np.load("x.npy")[:, known], images[:, known])


def test_completions_do_not_depend_on_the_batch(capsys, tiny, images):
    args = ["complete", tiny, "images.npy", "-n", "2", "--seed", "3"]
    assert run(capsys, *args, "-o", "a.npy")[0] == 0
    assert run(capsys, *args, "-o", "b.npy", "--batch-size", "4")[0] == 0
    np.testing.assert_array_equal(np.load("a.npy"), np.load("b.npy"))
    assert not np.array_equal(np.load("a.npy")[::2], np.load("a.npy")[1::2])


@pytest.mark.parametrize("how", ["particles", "beam_width"])
def test_completions_that_fit_all_that_is_known(
    capsys, tiny, model, images, how
):
    option = f"--{how.replace('_', '-')}"
    args = ["complete", tiny, "images.npy", "--keep", "bottom", option, "4"]
    args += ["-n", "2", "--seed", "3", "--batch-size", "8"]
    assert run(capsys, *args, "-o", "x.npy")[0] == 0
    mask = pictures.half_mask("bottom", 0.5, (4, 4, 1))
    if how == "particles":
        expected = model.complete(
            images, mask, num_particles=4, num_variants=2, seed=3, batch_size=8
        )
    else:
        expected = model.beam_search(
            images, mask, beam_width=4, num_variants=2, batch_size=8
        ).images
    np.testing.assert_array_equal(
        np.load("x.npy"), expected.reshape(10, 4, 4, 1)
    )


def test_a_beam_draws_nothing(capsys, tiny, images):
    args = ["complete", tiny, "images.npy", "--beam-width", "2"]
    err = refused(capsys, *args, "--top-k", "1", "--particles", "3")
    assert "beam_width=2, particles=3, top_k=1. Leave" in err


@pytest.mark.parametrize("command", ["sample", "complete"])
def test_interruption_leaves_what_is_finished(
    capsys, tiny, model, images, monkeypatch, command
):
    batches = []

    def stop_at_the_third(self, *args, **kwargs):
        if len(batches) == 2:
            raise KeyboardInterrupt
        batches.append(np.full((2, 4, 4, 1), len(batches), "uint8"))
        return batches[-1]

    def stream(self, *args, **kwargs):
        while True:
            yield stop_at_the_third(self)

    monkeypatch.setattr(type(model.sampler), "stream", stream)
    monkeypatch.setattr(type(model), "complete", stop_at_the_third)
    args = {
        "sample": ["sample", tiny, "-n", "6"],
        "complete": ["complete", tiny, "images.npy"],
    }[command]
    code, out, _ = run(capsys, *args, "--batch-size", "2", "-o", "x.npy")
    assert (code, out) == (130, "4 images of levels in x.npy\n")
    np.testing.assert_array_equal(np.load("x.npy"), np.concatenate(batches))
