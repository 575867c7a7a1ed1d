"""TensorFlow alone runs the SavedModel: no Keras code, no keras_pixel."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_pixel.export import checks

# Runs every signature with TensorFlow alone: no Keras, no keras_pixel.
CONSUMER = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "keras_pixel"):
            raise ModuleNotFoundError(name)

import numpy as np
import tensorflow as tf  # reads parts of Keras by itself

sys.meta_path.insert(0, Refuse())

folder, arrays, results, style = sys.argv[1:]
batch = dict(np.load(arrays))
outputs = {}
if style == "session":
    tf1 = tf.compat.v1
    with tf1.Session(graph=tf.Graph()) as session:
        meta = tf1.saved_model.load(session, ["serve"], folder)
        for name, signature in meta.signature_def.items():
            if name.startswith("__"):
                continue
            feed = {t.name: batch[k] for k, t in signature.inputs.items()}
            fetch = {k: t.name for k, t in signature.outputs.items()}
            for key, value in session.run(fetch, feed).items():
                outputs[f"{name}.{key}"] = value
else:
    loaded = tf.saved_model.load(folder)
    for name, function in loaded.signatures.items():
        keys = function.structured_input_signature[1]
        feed = {k: tf.constant(batch[k]) for k in keys}
        for key, value in function(**feed).items():
            outputs[f"{name}.{key}"] = value.numpy()
np.savez(results, **outputs)
"""


def run_alone(folder, batch, place, style):
    """Outputs of every signature, in a process with TensorFlow alone."""
    np.savez(place / "batch.npz", **batch)
    subprocess.run(
        [
            *(sys.executable, "-c", CONSUMER, str(folder)),
            *(place / "batch.npz", place / "results.npz", style),
        ],
        check=True,
    )
    return np.load(place / "results.npz")


@pytest.mark.parametrize(
    "style", ["session", pytest.param("eager", marks=pytest.mark.slow)]
)
def test_runs_with_tensorflow_alone(folder, model, tmp_path, style):
    batch = checks.small_batch(model)
    results = run_alone(folder, batch, tmp_path, style)
    np.testing.assert_allclose(
        results["serving_default.log_prob"],
        model.log_prob(batch["images"]),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        results["features.features"],
        model.features(batch["images"]),
        atol=1e-5,
    )
    expected = model.sample(
        noise=batch["noise"], temperature=batch["temperature"]
    )
    np.testing.assert_array_equal(results["sample_from_noise.images"], expected)


@pytest.mark.slow
def test_labels_and_a_map_with_tensorflow_alone(
    told_models_folder, told_model, tmp_path
):
    batch = checks.small_batch(told_model)
    told = {name: batch[name] for name in ("labels", "condition")}
    # The last label stands for none; Keras has none for both images.
    assert told["labels"].tolist() == [3, 2]
    told["labels"] = batch["labels"] = np.array([1, 2], "int32")
    folder = told_models_folder / "tiny" / "1"
    results = run_alone(folder, batch, tmp_path, "session")
    np.testing.assert_allclose(
        results["serving_default.log_prob"],
        told_model.log_prob(batch["images"], **told),
        rtol=1e-5,
    )
    expected = told_model.sample(
        noise=batch["noise"], temperature=batch["temperature"], **told
    )
    np.testing.assert_array_equal(results["sample_from_noise.images"], expected)


@pytest.mark.slow
def test_saved_model_cli_runs_it(folder, tmp_path):
    arrays = tmp_path / "batch.npz"
    np.savez(arrays, seed=np.array([1, 2], "int32"), one=np.ones(2, "float32"))
    command = pathlib.Path(sys.executable).with_name("saved_model_cli")
    inputs = f"seed={arrays}[seed];temperature={arrays}[one]"
    subprocess.run(
        [
            *(command, "run", "--dir", folder, "--tag_set", "serve"),
            *("--signature_def", "sample", "--outdir", tmp_path),
            *("--inputs", inputs),
        ],
        check=True,
        capture_output=True,
    )
    assert np.load(tmp_path / "images.npy").shape == (2, 4, 5, 1)
