"""What the buttons of the page do, without the page."""

import numpy as np
import pytest

from keras_pixel.demo import actions
from keras_pixel.demo import pictures
from keras_pixel.demo.shelf import Shelf


@pytest.fixture(scope="module")
def shelf(plain_preset, class_preset):
    return Shelf([plain_preset, class_preset])


def marked(image, num_levels):
    canvas = pictures.enlarge(image, num_levels)
    layer = np.zeros_like(canvas)
    layer[len(canvas) // 2 :] = (255, 0, 80, 255)
    return {"background": canvas, "layers": [layer]}


def test_samples_appear_and_are_those_of_the_model(shelf, plain_preset):
    updates = list(actions.sample(shelf, plain_preset, 4, "3", 0.8, None, 1.0))
    assert updates[0][0] is None
    assert "Loading" in updates[0][1]
    assert len(updates) > 5
    assert "of the pixels are drawn" in updates[1][1]
    picture, words = updates[-1]
    assert words.startswith("Seed 3, ")
    model = shelf.model(plain_preset)
    images = model.sample(4, seed=3, temperature=0.8)
    everything = np.ones(images.shape[:3], bool)
    expected = pictures.draw_sheet(images, everything, 4)
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))


def test_a_seed_is_drawn_where_none_is_given(shelf, plain_preset):
    *_, (_, first) = actions.sample(shelf, plain_preset, 1, " ", 1, None, 1)
    *_, (_, second) = actions.sample(shelf, plain_preset, 1, " ", 1, None, 1)
    assert first.split(",")[0] != second.split(",")[0]


@pytest.mark.parametrize(
    ("label", "scale", "expected"),
    [
        ("dog", 1, {"labels": 1}),
        ("dog", 2, {"labels": 1, "guidance_scale": 2}),
        (actions.ANY_CLASS, 2, {}),
        (actions.EACH_CLASS, 1, {"labels": [0, 1, 2, 0]}),
    ],
)
def test_class_and_guidance_reach_the_model(
    shelf, class_preset, label, scale, expected, monkeypatch
):
    model = shelf.model(class_preset)
    given = {}

    def sample_progressively(number, **options):
        given.update(options)
        images = np.zeros((number, 4, 4, 3), "uint8")
        yield images, np.ones((number, 4, 4), bool)

    monkeypatch.setattr(model, "sample_progressively", sample_progressively)
    list(actions.sample(shelf, class_preset, 4, "0", 1.5, label, scale))
    assert given.pop("temperature") == 1.5
    assert (given.pop("seed"), given.pop("num_updates") > 4) == (0, True)
    assert given == expected


@pytest.mark.parametrize("fits_all", [False, True])
def test_completions_keep_what_is_known(shelf, plain_preset, fits_all):
    image = np.random.randint(4, size=(4, 6, 1))
    *_, (picture, words) = actions.complete(
        shelf, plain_preset, marked(image, 4), 3, "5", 1, None, 1, fits_all
    )
    assert "3 completions. Seed 5, " in words
    model = shelf.model(plain_preset)
    known = np.ones((4, 6), bool)
    known[2:] = False
    (variants,) = model.complete(
        image[None],
        known,
        num_variants=3,
        seed=5,
        num_particles=32 if fits_all else None,
    )
    images = np.concatenate([image[None], variants])
    shown = np.ones((4, 4, 6), bool)
    shown[0] = known
    expected = pictures.draw_sheet(images, shown, 4)
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))


def test_guidance_and_fitting_all_exclude_each_other(shelf, class_preset):
    value = marked(np.zeros((4, 4, 3), int), 8)
    with pytest.raises(ValueError, match="exclude each other"):
        next(
            actions.complete(
                shelf, class_preset, value, 1, "", 1, "cat", 2.0, True
            )
        )


def test_score_is_that_of_the_model(shelf, class_preset, tmp_path):
    image = np.random.randint(8, size=(4, 4, 3))
    path = tmp_path / "image.png"
    from PIL import Image

    Image.fromarray(pictures.to_rgb(image[None], 8)[0]).save(path)
    *_, (seen, heat, words) = actions.score(
        shelf, class_preset, str(path), "eel"
    )
    model = shelf.model(class_preset)
    (bits,) = model.bits_per_dim(image[None], labels="eel")
    assert f"**{bits:.3f} bits/dim**" in words
    assert np.asarray(heat).std() > 0
    assert tuple(image[0, 0]) == tuple(
        np.asarray(seen)[3, 3].astype(int) * 8 // 256
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": 17}, "from 1 to 16"),
        ({"count": 1.5}, "whole number"),
        ({"count": None}, "images must be a number"),
        ({"seed": "-1"}, "seed must be"),
        ({"seed": "²"}, "seed must be"),
        ({"temperature": 0}, "temperature must be"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"label": "cow"}, "one of the model's"),
        ({"guidance_scale": 50}, "Guidance must be"),
        ({"name": "other"}, "on the page"),
    ],
)
def test_fields_out_of_range_are_refused_before_any_work(
    class_preset, change, words
):
    shelf = Shelf([class_preset])
    fields = {
        "name": class_preset,
        "count": 1,
        "seed": "0",
        "temperature": 1.0,
        "label": "cat",
        "guidance_scale": 1.0,
    }
    with pytest.raises(ValueError, match=words):
        next(actions.sample(shelf, **{**fields, **change}))
    assert not shelf.is_loaded(class_preset)


def test_score_without_a_picture_is_refused(shelf, plain_preset):
    with pytest.raises(ValueError, match="Received: none"):
        next(actions.score(shelf, plain_preset, None, None))


def test_choices_of_classes(shelf, plain_preset, class_preset):
    assert actions.class_choices(shelf.card(plain_preset)) == []
    card = shelf.card(class_preset)
    names = [actions.ANY_CLASS, "cat", "dog", "eel"]
    assert actions.class_choices(card) == names
    assert actions.class_choices(card, several=True) == [
        actions.EACH_CLASS,
        *names,
    ]


def test_errors_are_told_in_words(caplog):
    assert actions.in_words(ValueError("`x` must\n  be 1.")) == "`x` must be 1."
    assert caplog.text == ""
    words = actions.in_words(ZeroDivisionError("secret path"))
    assert "ZeroDivisionError" in words
    assert "secret" not in words
    assert "secret path" in caplog.text
