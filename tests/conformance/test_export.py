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


@pytest.mark.parametrize("form", [saved_model, onnx])
@pytest.mark.parametrize("case", **catalogue.named(catalogue.MODELS))
def test_export_equals_keras_at_two_batch_sizes(case, form, tmp_path):
    model = case.make()
    exported = form(model, tmp_path / "exported")
    for count in (1, 3):
        images = catalogue.levels(model, count)
        scores = exported["score"](images=images)
        np.testing.assert_allclose(
            scores["log_prob"], model.log_prob(images), rtol=1e-5
        )
        random = np.random.default_rng(count)
        noise = random.random((count, *model.noise_shape), "float32")
        temperature = np.linspace(0.8, 1.2, count, dtype="float32")
        drawn = exported["sample"](noise=noise, temperature=temperature)
        # At most a rounding of the cumulative probability apart.
        checks.check_drawn(model, drawn["images"], noise, temperature)
