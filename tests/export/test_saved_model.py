"""The SavedModel: what every signature gives."""

import types

import keras
import numpy as np
import pytest

from keras_pixel import export
from keras_pixel.export import checks
from keras_pixel.export import to_saved_model
from tests.support import catalogue

SIGNATURES = {
    "serving_default": ({"images"}, {"log_prob", "bits_per_dim"}),
    "logits": ({"images"}, {"logits"}),
    "sample": ({"seed", "temperature"}, {"images"}),
    "sample_from_noise": ({"noise", "temperature"}, {"images"}),
    "complete": ({"images", "mask", "seed", "temperature"}, {"images"}),
    "features": ({"images"}, {"features"}),
}


@pytest.fixture(scope="module")
def signatures(folder):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))

    def run(name, **inputs):
        tensors = {key: tf.constant(x) for key, x in inputs.items()}
        outputs = loaded.signatures[name](**tensors)
        return {key: x.numpy() for key, x in outputs.items()}

    run.loaded = loaded
    return run


def ones(count):
    return np.ones(count, "float32")


def test_signatures_have_the_batch_first_and_free(signatures, model):
    found = signatures.loaded.signatures
    assert set(found) - {"serving_default"} == set(SIGNATURES) - {
        "serving_default"
    }
    for name, (inputs, outputs) in SIGNATURES.items():
        specs = found[name].structured_input_signature[1]
        assert set(specs) == inputs
        assert set(found[name].structured_outputs) == outputs
        results = found[name].structured_outputs.values()
        for spec in [*specs.values(), *results]:
            assert spec.shape[0] is None
    specs = found["complete"].structured_input_signature[1]
    assert {name: spec.dtype.name for name, spec in specs.items()} == {
        "images": "uint8",
        "mask": "uint8",
        "seed": "int32",
        "temperature": "float32",
    }


@pytest.mark.parametrize("count", [1, 3])
def test_scores_are_those_of_keras(signatures, model, count):
    images = catalogue.levels(model, count)
    scores = signatures("serving_default", images=images)
    np.testing.assert_allclose(
        scores["log_prob"], model.log_prob(images), rtol=1e-5
    )
    np.testing.assert_allclose(
        scores["bits_per_dim"], model.bits_per_dim(images), rtol=1e-5
    )


def test_impossible_levels_score_nan_and_leave_other_rows_alone(
    signatures, model
):
    images = catalogue.levels(model, 2)
    expected = model.log_prob(images)
    images[1, 0, 0, 0] = model.num_levels
    log_prob = signatures("serving_default", images=images)["log_prob"]
    np.testing.assert_allclose(log_prob[0], expected[0], rtol=1e-5)
    assert np.isnan(log_prob[1])


def test_same_noise_gives_the_images_of_keras(signatures, model):
    random = np.random.default_rng(1)
    noise = random.random((3, *model.noise_shape), "float32")
    temperature = np.array([1.0, 0.5, 2.0], "float32")
    drawn = signatures(
        "sample_from_noise", noise=noise, temperature=temperature
    )["images"]
    assert drawn.dtype == np.uint8
    expected = model.sample(noise=noise, temperature=temperature)
    np.testing.assert_array_equal(drawn, expected)


def test_a_row_depends_on_its_own_seed_alone(signatures):
    def sample(*seeds):
        seed = np.array(seeds, "int32")
        temperature = ones(len(seeds))
        return signatures("sample", seed=seed, temperature=temperature)[
            "images"
        ]

    together = sample(7, -3, 7)
    np.testing.assert_array_equal(together[0], together[2])
    np.testing.assert_array_equal(together[1:2], sample(-3))
    assert (together[0] != together[1]).any()


def test_completion_keeps_what_is_known(signatures, model):
    images = catalogue.levels(model, 2)
    mask = np.zeros(images.shape[:3], "uint8")
    mask[0, :2] = 1
    seed = np.array([1, 2], "int32")
    inputs = {"mask": mask, "seed": seed, "temperature": ones(2)}
    drawn = signatures("complete", images=images, **inputs)["images"]
    np.testing.assert_array_equal(drawn[0, :2], images[0, :2])
    # What is unknown is not looked at; nothing known: a sample.
    other = np.where(mask[..., None] == 1, images, 0).astype("uint8")
    again = signatures("complete", images=other, **inputs)["images"]
    np.testing.assert_array_equal(drawn, again)
    sample = signatures("sample", seed=seed, temperature=ones(2))["images"]
    np.testing.assert_array_equal(drawn[1], sample[1])


def test_a_temperature_of_zero_draws_the_most_probable(signatures, model):
    noise = np.full((1, *model.noise_shape), 0.999, "float32")
    drawn = signatures(
        "sample_from_noise", noise=noise, temperature=np.zeros(1, "float32")
    )["images"]
    expected = model.sample(noise=noise, top_k=1, method="naive")
    np.testing.assert_array_equal(drawn, expected)


def test_what_is_out_of_range_is_brought_into_it(signatures, model):
    images = np.full((1, *model.image_shape), 255, "uint8")
    mask = np.ones(images.shape[:3], "uint8")
    mask[0, 0, 0] = 0
    seed = np.zeros(1, "int32")
    completed = signatures(
        "complete", images=images, mask=mask, seed=seed, temperature=ones(1)
    )["images"]
    assert (completed[mask == 1] == model.num_levels - 1).all()

    def drawn(noise, temperature):
        return signatures(
            "sample_from_noise",
            noise=np.full((1, *model.noise_shape), noise, "float32"),
            temperature=np.full(1, temperature, "float32"),
        )["images"]

    below_one = np.nextafter(np.float32(1), np.float32(0))
    np.testing.assert_array_equal(drawn(1, 1), drawn(below_one, 1))
    np.testing.assert_array_equal(drawn(np.nan, 1), drawn(0.5, 1))
    np.testing.assert_array_equal(drawn(0.7, np.nan), drawn(0.7, 1))
    np.testing.assert_array_equal(drawn(0.7, np.inf), drawn(0.7, 1e30))


def test_xla_variant_gives_the_same(model, tmp_path):
    # The export itself compares it with Keras.
    export.saved_model(model, tmp_path / "xla", xla=True)


def test_mismatch_leaves_nothing(model, tmp_path, monkeypatch):
    def wrong(*args):
        raise checks.ExportError("wrong")

    monkeypatch.setattr(to_saved_model, "check_saved_model", wrong)
    with pytest.raises(RuntimeError, match="wrong"):
        export.saved_model(model, tmp_path / "1")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_said_in_words(model, tmp_path, monkeypatch):
    import tensorflow as tf

    def save(*args, **kwargs):
        message = "variables/variables; No space left on device"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(OSError, match="must take.*No space left.*Free some"):
        export.saved_model(model, tmp_path / "1")
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: types.SimpleNamespace(free=9)
    )
    with pytest.raises(OSError, match="Received: 9 bytes free"):
        export.saved_model(model, tmp_path / "1")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(model, tmp_path):
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(FileExistsError, match="never overwritten"):
        export.saved_model(model, tmp_path)
    assert (tmp_path / "kept.txt").read_text() == "kept"


def test_only_pixel_models_are_exported(tmp_path):
    inputs = keras.Input((2, 2, 1))
    with pytest.raises(TypeError, match="must be a `keras_pixel.PixelModel`"):
        export.saved_model(keras.Model(inputs, inputs), tmp_path / "1")
