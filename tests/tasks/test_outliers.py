"""Outliers: scores that can be computed by hand, and what must be refused."""

import io
import json
import pathlib

import keras
import numpy as np
import pytest
from PIL import Image

from keras_pixel import cli
from keras_pixel import tasks
from keras_pixel.models import PixelCNN
from keras_pixel.tasks import picture_files

SHAPE = (4, 4, 1)


class Told:
    """A model whose every pixel takes as many bits as its level says."""

    name = "told"
    image_shape = SHAPE
    num_levels = 4

    def __init__(self, bits=(0.5, 1.0, 2.0, 4.0)):
        self.bits = np.float32(bits)

    def log_prob(self, images, batch_size, reduce):
        assert reduce == "sub_pixels"
        return -self.bits[images] * np.float32(np.log(2))


def flat(*levels):
    """Images of one level each."""
    return np.stack([np.full(SHAPE, level, "uint8") for level in levels])


def test_likelihood_is_bits_per_dim():
    detector = tasks.OutlierDetector(Told(), "likelihood", threshold=1.5)
    result = detector.predict(flat(0, 3, 1, 2))
    np.testing.assert_allclose(result.data.instance_score, [0.5, 4, 1, 2])
    assert result.data.is_outlier.tolist() == [False, True, False, True]
    assert result.data.feature_score.shape == (4, *SHAPE)
    np.testing.assert_allclose(result.data.feature_score[1], 4)
    assert result.num_outliers == 2
    # The strangest first.
    assert [index for index, _, _ in result.examples] == [1, 3, 2, 0]


def test_complexity_subtracts_the_smaller_picture_file():
    images = flat(0, 3)
    detector = tasks.OutlierDetector(Told(), threshold=0.0)
    found = detector.predict(images).data.instance_score
    sizes = []
    for image in images[..., 0]:
        written = []
        for options in (
            {"format": "PNG", "optimize": True},
            {"format": "WEBP", "lossless": True, "quality": 100, "method": 6},
        ):
            file = io.BytesIO()
            Image.fromarray(image).save(file, **options)
            written.append(len(file.getvalue()))
        sizes.append(min(written))
    expected = np.array([0.5, 4.0]) - 8 * np.array(sizes) / 16
    np.testing.assert_allclose(found, expected)


def test_files_of_two_levels_have_one_bit_a_pixel():
    images = np.random.default_rng(0).integers(2, size=(3, 64, 64, 1))
    sizes = picture_files.num_bytes(images, 2, "PNG")
    assert np.all(sizes > 64 * 64 / 8)
    assert np.all(sizes < 64 * 64 / 8 + 200)


def test_likelihood_ratio_subtracts_the_background():
    background = Told(bits=(0.5, 0.5, 3.0, 3.0))
    detector = tasks.OutlierDetector(
        Told(), "likelihood_ratio", background=background, threshold=0.25
    )
    data = detector.predict(flat(0, 1, 2, 3)).data
    np.testing.assert_allclose(data.instance_score, [0, 0.5, -1, 1])
    assert data.is_outlier.tolist() == [False, True, False, True]


def test_typicality_is_the_distance_from_known_images():
    detector = tasks.OutlierDetector(Told(), "typicality", threshold=0.9)
    detector.fit(flat(1, 2))
    assert detector.expected == pytest.approx(1.5)
    data = detector.predict(flat(0, 1, 3)).data
    np.testing.assert_allclose(data.instance_score, [1, 0.5, 2.5])
    # One that is too probable is strange as well.
    assert data.is_outlier.tolist() == [True, False, True]


def test_threshold_leaves_a_share_below():
    detector = tasks.OutlierDetector(Told(), "likelihood")
    known = flat(*[0] * 15, *[1] * 4, 3)
    assert detector.infer_threshold(known, 90) == pytest.approx(1.0)
    assert detector.predict(known).num_outliers == 1


def test_sub_pixels_are_judged_by_themselves():
    known = flat(0, 1)
    known[0, 0, 0] = 3
    detector = tasks.OutlierDetector(Told(), "likelihood")
    detector.infer_threshold(known, 50, outlier_type="feature")
    assert detector.threshold == pytest.approx(1.0)
    result = detector.predict(known, outlier_type="feature")
    assert result.data.is_outlier.shape == known.shape
    assert np.argwhere(result.data.is_outlier).tolist() == [[0, 0, 0, 0]]
    assert result.num_outliers == 1


def test_results_of_many_images_are_those_of_few():
    images = np.random.default_rng(0).integers(4, size=(1100, *SHAPE))
    detector = tasks.OutlierDetector(Told(), "likelihood", threshold=1.5)
    reports = []
    result = detector.predict(
        images, progress=lambda done, total: reports.append((done, total))
    )
    assert reports == [(500, 1100), (1000, 1100), (1100, 1100)]
    np.testing.assert_allclose(
        result.data.instance_score,
        Told().bits[images].mean(axis=(1, 2, 3)),
        rtol=1e-6,
    )


def test_scores_may_be_left_out():
    detector = tasks.OutlierDetector(Told(), "likelihood", threshold=1.5)
    result = detector.predict(
        flat(0, 3), return_feature_score=False, return_instance_score=False
    )
    assert result.data.feature_score is None
    assert result.data.instance_score is None
    assert "| 1 | – | 4.0000 | yes |" in result.table()


def test_one_call_does_it_all():
    result = tasks.find_outliers(
        Told(), flat(1, 3), flat(1, 1, 2), "typicality", threshold_perc=99
    )
    assert result.threshold == pytest.approx(2 / 3, abs=0.02)
    assert result.data.is_outlier.tolist() == [False, True]


@pytest.mark.parametrize("score", ["typicality", "likelihood"])
def test_one_call_scores_each_image_once(score):
    scored = []

    class Counting(Told):
        def log_prob(self, images, **arguments):
            scored.extend(images[:, 0, 0, 0])
            return super().log_prob(images, **arguments)

    tasks.find_outliers(Counting(), flat(3), flat(0, 1, 2), score)
    assert scored == [0, 1, 2, 3]


def test_one_call_refuses_before_it_scores():
    class Silent(Told):
        def log_prob(self, images, **arguments):
            raise AssertionError

    with pytest.raises(ValueError, match="threshold_perc"):
        tasks.find_outliers(
            Silent(), flat(3), flat(0), "typicality", threshold_perc=100
        )


def test_table():
    detector = tasks.OutlierDetector(Told(), "likelihood", threshold=1.5)
    assert detector.predict(flat(0, 3)).table() == (
        "| image | score | bits/dim | outlier |\n"
        "| --- | --- | --- | --- |\n"
        "| 1 | 4.0000 | 4.0000 | yes |\n"
        "| 0 | 0.5000 | 0.5000 | no |\n"
        "| **1 of 2** | **likelihood > 1.5000** | 2.2500 | |\n"
    )


@pytest.mark.parametrize("score", ["likelihood", "complexity"])
def test_result_is_saved_whole(score, tmp_path):
    pytest.importorskip("matplotlib")
    detector = tasks.OutlierDetector(Told(), score, threshold=1.5)
    result = detector.predict(flat(0, 3, 1))
    folder = result.save(tmp_path / "new")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["outliers.json", "outliers.png", "table.md"]
    found = json.loads((folder / "outliers.json").read_text())
    assert found["threshold"] == 1.5
    assert [x["is_outlier"] for x in found["found"]] == (
        result.data.is_outlier.tolist()
    )


def test_mutation_changes_a_share():
    images = np.zeros((40, 10, 10, 1), "uint8")
    found = tasks.mutate(images, 256, 0.2, seed=0)
    assert found.dtype == np.uint8
    # 4,000 pixels of which one in five is drawn anew, rarely as 0 again.
    assert 0.17 < np.mean(found > 0) < 0.23
    assert np.array_equal(found, tasks.mutate(images, 256, 0.2, seed=0))
    assert tasks.mutate(images, 2, 1.0, seed=0).max() == 1


@pytest.fixture(scope="module")
def model():
    """Knows images that are black or white as a whole."""
    model = PixelCNN(SHAPE, 2, filters=4, num_blocks=1, head_filters=0)
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(flat(*[0, 1] * 32), epochs=10, verbose=0)
    return model


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(2, size=(8, *SHAPE))


def test_background_is_trained_on_mutated_images(model, noise, tmp_path):
    detector = tasks.OutlierDetector(model, "likelihood_ratio")
    detector.fit(
        flat(*[0, 1] * 30),
        tmp_path / "background",
        rate=0.8,
        epochs=3,
        learning_rate=0.05,
    )
    # The background has seen noise; the model has not.
    ours, theirs = (
        x.log_prob(noise).mean() for x in (model, detector.background)
    )
    assert theirs > ours + 1
    detector.infer_threshold(flat(0, 1))
    assert detector.predict(noise).data.is_outlier.all()
    again = tasks.OutlierDetector(
        model,
        "likelihood_ratio",
        background=tmp_path / "background" / "preset",
        threshold=detector.threshold,
    )
    np.testing.assert_allclose(
        again.predict(noise).data.instance_score,
        detector.predict(noise).data.instance_score,
        atol=1e-6,
    )


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="`score`.*'likelyhood'"):
        tasks.OutlierDetector(Told(), "likelyhood")
    with pytest.raises(ValueError, match="`background` is for.*'typicality'"):
        tasks.OutlierDetector(Told(), "typicality", background=Told())
    other = Told()
    other.num_levels = 2
    with pytest.raises(ValueError, match="same images.*num_levels=2"):
        tasks.OutlierDetector(Told(), "likelihood_ratio", background=other)
    many = Told()
    many.image_shape = (4, 4, 2)
    with pytest.raises(ValueError, match="1 or 3 channels.*2 channels"):
        tasks.OutlierDetector(many)
    with pytest.raises(ValueError, match="needs a threshold"):
        tasks.OutlierDetector(Told()).predict(flat(0))
    detector = tasks.OutlierDetector(Told(), threshold=0)
    with pytest.raises(ValueError, match="scores of their own.*'complexity'"):
        detector.predict(flat(0), outlier_type="feature")
    with pytest.raises(ValueError, match="images to score.*none"):
        detector.predict(flat(0)[:0])
    with pytest.raises(ValueError, match="threshold_perc"):
        detector.infer_threshold(flat(0), 100)
    for score, words in (
        ("typicality", "mean of known images"),
        ("likelihood_ratio", "needs a background model"),
    ):
        detector = tasks.OutlierDetector(Told(), score, threshold=0)
        with pytest.raises(ValueError, match=words):
            detector.predict(flat(0))


def run(*args):
    with pytest.raises(SystemExit) as stop:
        cli.main(["outliers", *map(str, args)])
    return stop.value.code


@pytest.fixture
def folder(model, noise, tmp_path, monkeypatch):
    """A working folder with a preset, known images, and some to judge."""
    monkeypatch.chdir(tmp_path)
    model.save_preset("preset")
    np.save("known.npy", flat(*[0, 1] * 10))
    np.save("mixed.npy", np.concatenate([flat(0, 1, 0), noise[:2]]))


def test_command(folder, capsys):
    args = ["preset", "mixed.npy", "--reference", "known.npy", "--json"]
    assert run(*args, "--score", "likelihood", "-o", "found") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(
        pathlib.Path("found/outliers.json").read_text()
    )
    assert [x["is_outlier"] for x in printed["found"]] == [False] * 3 + [
        True
    ] * 2
    assert printed["found"][3]["image"].startswith("mixed.npy")


def test_command_trains_a_background_once(folder, capsys):
    args = ["preset", "mixed.npy", "--reference", "known.npy", "--json"]
    args += ["--score", "likelihood_ratio"]
    assert run(*args, "--fit-background", "background") == 0
    first = json.loads(capsys.readouterr().out)
    assert run(*args, "--background", "background/preset") == 0
    second = json.loads(capsys.readouterr().out)
    assert second["threshold"] == pytest.approx(first["threshold"], abs=1e-6)
    assert run(*args) == 2
    assert "needs a background model" in capsys.readouterr().err
