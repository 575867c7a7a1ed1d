"""Distributions in ONNX, where the runtime's functions have fewer digits."""

import numpy as np

from keras_pixel.distributions import LogisticMixture
from keras_pixel.export.conversion import convert
from keras_pixel.export.conversion import session


def test_a_component_far_off_has_the_same_mass_in_onnx(tmp_path):
    import tensorflow as tf

    distribution = LogisticMixture(256, num_mixtures=1, floor=1e-9)
    # 100 scales are a distance of 1: levels of up to e⁻¹⁶.
    means = np.linspace(-0.16, 0.16, 65, dtype="float32")[:, None]
    log_scales = np.full_like(means, -np.log(100.0))
    levels = np.full(len(means), 128)

    def score(means):
        return {
            "log_probs": distribution.component_log_probs(
                means, log_scales, levels
            )
        }

    specs = [tf.TensorSpec((None, 1), tf.float32, "means")]
    convert(score, specs, tmp_path / "score.onnx", {})
    found = session(tmp_path / "score.onnx")(means=means)["log_probs"]
    half, centred = 1 / 255, (128 / 127.5 - 1) - means.astype("float64")
    top, bottom = (100 * (half + x) for x in (centred, -centred))
    inside = -np.expm1(-200 * half)
    expected = np.log(inside) - np.logaddexp(0, -top) - np.logaddexp(0, -bottom)
    assert expected.min() < -15
    np.testing.assert_allclose(found, expected, atol=1e-3)
