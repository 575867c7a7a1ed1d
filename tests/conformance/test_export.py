"""Every model, exported to SavedModel and ONNX, gives what Keras gives."""

import keras
import numpy as np
import pytest

from keras_pixel import export
from keras_pixel.export import checks
from keras_pixel.export.conversion import session
from tests.support import catalogue

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports need TensorFlow"
)

DECODABLE = catalogue.decodable(catalogue.MODELS)


def saved_model(model, path):
    import tensorflow as tf

    signatures = tf.saved_model.load(str(export.saved_model(model, path)))

    def run(name, **inputs):
        tensors = {key: tf.constant(x) for key, x in inputs.items()}
        return checks.to_numpy(signatures.signatures[name](**tensors))

    return {
        "score": lambda **x: run("serving_default", **x),
        "sample": lambda **x: run("sample_from_noise", **x),
    }


def onnx(model, path):
    folder = export.onnx(model, path, step_batch_size=2)
    return {
        "score": session(folder / "log_prob.onnx"),
        "sample": session(folder / "sample.onnx"),
    }


def noise_that_draws(model, images, temperature, margin=1e-4):
    """Noise next to the ends of the levels' intervals.

    Of random noise most is far from the ends, and wrong logits draw the right
    level; of this noise they draw another.
    """
    parameters = model(images, training=False)
    logits = model.pixel_distribution.level_log_probs(parameters)
    logits = np.asarray(logits, "float64")
    weights = np.exp(logits / temperature[:, None, None, None, None])
    ends = np.cumsum(weights, axis=-1) / weights.sum(axis=-1, keepdims=True)
    level = images[..., None].astype("int32")
    upper = np.take_along_axis(ends, level, axis=-1)[..., 0]
    lower = np.take_along_axis(np.insert(ends, 0, 0.0, axis=-1), level, -1)
    lower = lower[..., 0]
    # By turns at the upper and at the lower end; 0 and 1 are no ends.
    at_upper = (np.arange(upper.size).reshape(upper.shape) % 2 == 0) | (
        images == 0
    )
    at_upper &= images < model.num_levels - 1
    noise = np.where(at_upper, upper - margin, lower + margin)
    assert (lower < noise).all() and (noise < upper).all()
    return noise.astype("float32")


# Enough for every run; `--slow` adds the others.
EVERY_RUN = (
    "pixel_cnn_rgb",
    "gated_pixel_cnn_two_channels",
    "pixel_rnn_row_lstm_grey",
    "pixel_rnn_diagonal_bilstm_two_channels",
    "pixel_lstm_embedding_two_channels",
    "image_transformer_1d_rgb",
    "image_transformer_wavefront_2d_two_channels",
    "wavefront_pixel_cnn_rgb",
    "pixel_cnn_plus_plus_wavefront_two_channels",
    "pixel_snail_wavefront_grey",
    "gaussian_pixels_rgb",
)
# Of the same graphs: one of each kind of layer, and strides with a mixture.
WITH_ONNX = (
    "pixel_cnn_rgb",
    "pixel_rnn_diagonal_bilstm_two_channels",
    "image_transformer_1d_rgb",
    "wavefront_pixel_cnn_rgb",
)
OFTEN = [case for case in DECODABLE if case.name in EVERY_RUN]
EXPORTS = [
    pytest.param(
        case,
        form,
        id=f"{case.name}-{form.__name__}",
        marks=[] if case.name in names else [pytest.mark.slow],
    )
    for form, names in ((saved_model, EVERY_RUN), (onnx, WITH_ONNX))
    for case in DECODABLE
]


def test_every_network_is_in_every_run():
    assert len(OFTEN) == len(EVERY_RUN)
    assert set(WITH_ONNX) <= set(EVERY_RUN)
    networks = {case.model_class for case in catalogue.trainable(DECODABLE)}
    assert networks <= {case.model_class for case in OFTEN}


@pytest.mark.parametrize(("case", "form"), EXPORTS)
def test_export_equals_keras_at_two_batch_sizes(case, form, tmp_path):
    model = case.make()
    exported = form(model, tmp_path / "exported")
    for count in (1, 3):
        images = catalogue.levels(model, count)
        scores = exported["score"](images=images)
        np.testing.assert_allclose(
            scores["log_prob"], model.log_prob(images), rtol=1e-5
        )
        temperature = np.linspace(0.8, 1.2, count, dtype="float32")
        noise = noise_that_draws(model, images, temperature)
        drawn = exported["sample"](noise=noise, temperature=temperature)
        np.testing.assert_array_equal(drawn["images"], images)
