"""The example of Gymnasium runs at its smallest; its controller by hand."""

import math

import numpy as np
import pytest

import keras_pixel
from examples import policy_gym
from keras_pixel import tasks


def gymnasium():
    return pytest.importorskip(
        "gymnasium", reason='needs Gymnasium, `pip install ".[gym]"`'
    )


@pytest.mark.slow
def test_runs(tmp_path, capsys):
    gymnasium()
    found = policy_gym.main(
        [
            *("--output", str(tmp_path), "--demonstrations", "3"),
            *("--steps", "2", "--units", "4"),
            *("--episodes", "3", "--length", "5"),
        ]
    )
    printed = capsys.readouterr().out
    assert "15 actions of 3 episodes." in printed
    for name in ("demonstrator", "autoregressive", "Gaussian", "regression"):
        assert f"| {name} |" in printed
    for values in found.values():
        assert values.shape == (3,)
        assert (values < 0).all()
    assert "| 3 |" in (tmp_path / "table.md").read_text()
    assert (tmp_path / "returns.png").exists()
    policy = tasks.Policy(keras_pixel.load(tmp_path / "preset"))
    assert -2 < policy.act(np.array([1.0, 0.0, 0.0])) < 2


def test_controller_swings_up_and_holds():
    gymnasium()

    def act(observations, seed):
        return policy_gym.demonstrate(observations)

    returns, seen = policy_gym.episodes(act, 8, 200, seed=0)
    assert returns.min() > -450
    angles = np.arctan2(seen[:, 1], seen[:, 0]).reshape(200, 8)
    assert np.abs(angles[0]).max() > 1  # it begins elsewhere
    assert np.abs(angles[-1]).max() < 0.05


def test_same_seed_same_beginnings_and_returns():
    gymnasium()

    def act(observations, seed):
        return seed.uniform(-2, 2, size=(len(observations), 1))

    first, second = (policy_gym.episodes(act, 2, 4, seed=5) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (policy_gym.episodes(act, 2, 4, seed=6)[0] != first[0]).all()


@pytest.mark.parametrize(
    ("angle", "speed", "torque"),
    [
        (math.pi, 0.5, 2.0),  # hangs: with its motion
        (math.pi, -0.5, -2.0),
        (1.0, 8.0, -2.0),  # more energy than at the top: against it
        (0.1, 0.0, -1.2),  # held
        (0.0, 0.2, -0.5),
        (0.4, 3.0, -2.0),  # within bounds
    ],
)
def test_controller_by_hand(angle, speed, torque):
    seen = np.array([[math.cos(angle), math.sin(angle), speed]])
    np.testing.assert_allclose(policy_gym.demonstrate(seen), [[torque]])
