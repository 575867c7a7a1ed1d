"""Does everything but data sets and export work on JAX without TensorFlow?

In a process of its own, in which TensorFlow cannot be imported.
"""

import importlib.util
import os
import subprocess
import sys

import pytest

from tests.support.imports import ROOT

START = """
import sys

class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_probability"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTensorFlow())

import keras
import numpy as np
import pytest
import keras_pixel
from keras_pixel import layers, models

assert keras.backend.backend() == "jax"
"""

PIXEL_CNN = """
folder = sys.argv[1]
small = {"filters": 6, "head_filters": 6}
model = models.PixelCNN((2, 3, 3), 2, num_blocks=1, **small)
keras_pixel.check_causality(model)
images = np.random.randint(2, size=(4, 2, 3, 3))
model.compile("adam")
loss = model.fit(images, batch_size=4, verbose=0).history["loss"]
assert np.isfinite(loss).all()

noise = np.random.rand(4, *model.noise_shape).astype("float32")
drawn = model.sample(noise=noise)
naive = model.sample(noise=noise, method="naive")
np.testing.assert_array_equal(drawn, naive)
mask = np.zeros((2, 3), bool)
mask[:1] = True
completed = model.complete(images, mask, noise=noise)
np.testing.assert_array_equal(completed[:, :1], images[:, :1])

log_prob = model.log_prob(images)
assert log_prob.shape == (4,) and (log_prob < 0).all()
# Several threads at once, one of which draws.
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(4) as threads:
    drawing = threads.submit(model.sample, noise=noise)
    scoring = [threads.submit(model.log_prob, images) for _ in range(8)]
for score in scoring:
    np.testing.assert_allclose(score.result(), log_prob, rtol=1e-5)
np.testing.assert_array_equal(drawing.result(), drawn)
model.save_preset(folder)
again = keras_pixel.load(folder)
np.testing.assert_allclose(again.log_prob(images), log_prob, rtol=1e-4)

with pytest.raises(ImportError, match="TensorFlow Probability"):
    model.distribution(images)
"""

OTHER_NETWORKS = """
small = {"filters": 6, "head_filters": 6}
gated = models.GatedPixelCNN((2, 2, 1), 4, filters=4, num_layers=1)
assert gated.sample(1, seed=0).shape == (1, 2, 2, 1)
assert (gated.bits_per_dim(gated.sample(1, seed=0)) > 0).all()

for recurrent in (
    models.PixelRNN((2, 2, 1), 4, "row_lstm", num_layers=1, **small),
    models.PixelLSTM((2, 2, 1), 4, hidden_dim=4, num_layers=1),
    models.PixelRNN((2, 2, 1), 4, num_layers=1, **small),
):
    recurrent.compile("adam")
    loss = recurrent.fit(np.ones((4, 2, 2, 1), int), verbose=0).history["loss"]
    assert np.isfinite(loss).all()
assert recurrent.sample(1, seed=0).shape == (1, 2, 2, 1)

small = {"filters": 4, "num_blocks": 1, "num_mixtures": 2}
attention = {"num_residual_blocks": 1, "key_dim": 2, "value_dim": 2}
for whole in (
    models.PixelCNNPlusPlus((3, 2, 1), 4, lag=1, num_resolutions=2, **small),
    models.PixelSNAIL((3, 2, 1), 4, lag=1, **attention, **small),
):
    whole.compile("adam")
    ones = np.ones((4, 3, 2, 1), int)
    assert np.isfinite(whole.fit(ones, verbose=0).history["loss"]).all()
    assert whole.sample(1, seed=0, method="naive").shape == (1, 3, 2, 1)

size = {"hidden_dim": 4, "num_heads": 1, "intermediate_dim": 4}
for attention, blocks in (
    ("full", {}),
    ("local_1d", {"query_shape": (1, 2), "memory_flange": (0, 1)}),
    ("local_2d", {"query_shape": (2, 1), "memory_flange": (0, 1)}),
):
    transformer = models.ImageTransformer(
        (2, 2, 1), 4, attention, num_layers=1, **size, **blocks
    )
    transformer.compile("adam")
    ones = np.ones((4, 2, 2, 1), int)
    assert np.isfinite(transformer.fit(ones, verbose=0).history["loss"]).all()
assert transformer.sample(1, seed=0).shape == (1, 2, 2, 1)
"""

BASELINES = """
for baseline in (
    models.IndependentPixels((2, 2, 2), 4), models.GaussianPixels((2, 2, 2), 4)
):
    images = np.random.randint(4, size=(20, 2, 2, 2))
    baseline.fit_closed_form(images)
    noise = np.random.rand(2, 2, 2, 2).astype("float32")
    drawn = baseline.sample(noise=noise)
    naive = baseline.sample(noise=noise, method="naive")
    np.testing.assert_array_equal(drawn, naive)
"""

END = """
assert "tensorflow" not in sys.modules
print("all is well")
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(PIXEL_CNN + BASELINES, id="PixelCNN and baselines"),
        pytest.param(
            OTHER_NETWORKS, id="other networks", marks=pytest.mark.slow
        ),
    ],
)
def test_models_work_on_jax_without_tensorflow(program, tmp_path):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", START + program + END, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "all is well" in done.stdout
