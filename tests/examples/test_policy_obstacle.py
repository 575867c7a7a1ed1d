"""The example of imitation runs at its smallest; its car by hand."""

import math

import numpy as np
import pytest

import keras_pixel
from examples import policy_obstacle
from keras_pixel import tasks


@pytest.mark.slow
def test_runs(tmp_path, capsys):
    found = policy_obstacle.main(
        [
            *("--output", str(tmp_path), "--demonstrations", "4"),
            *("--steps", "2", "--units", "4", "--episodes", "3"),
        ]
    )
    printed = capsys.readouterr().out
    assert "| autoregressive |" in printed
    assert "An action alone: " in printed
    assert found["demonstrations"] == {"goal": 4, "collision": 0, "neither": 0}
    for name in ("autoregressive", "Gaussian", "Gaussian, its mean"):
        assert sum(found[name].values()) == 3
    assert "| 3 |" in (tmp_path / "table.md").read_text()
    assert (tmp_path / "trajectories.png").exists()
    policy = tasks.Policy(keras_pixel.load(tmp_path / "preset"))
    assert policy.act(np.array([-1.0, 0, 1, 0])).shape == (2,)


def test_car_turns_and_then_drives():
    later = policy_obstacle.move(np.array([[0.0, 1.0, 0.1]]), [[-0.5, 0.3]])
    heading = 0.1 - 0.5 * 0.8
    expected = [0.3 * math.cos(heading), 1 + 0.3 * math.sin(heading), heading]
    np.testing.assert_allclose(later, [expected])
    # No sharper and no further than it can.
    later = policy_obstacle.move(np.zeros((1, 3)), [[9.0, 9.0]])
    np.testing.assert_allclose(later[0, 2], 0.8)
    np.testing.assert_allclose(np.hypot(*later[0, :2]), 0.35)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((-1, 0), (1, 0), True),  # through, with both ends outside
        ((-1, 0.24), (1, 0.24), True),
        ((-1, 0.26), (1, 0.26), False),
        ((-1, 0), (-0.26, 0), False),
        ((-1, 0), (-0.24, 0), True),
        ((-1, 0.5), (-0.8, 0.61), True),  # the wall
    ],
)
def test_collisions(start, end, expected):
    states = np.array([[*start, 0.0]]), np.array([[*end, 0.0]])
    assert policy_obstacle.hits(*states).tolist() == [expected]


def test_demonstrators_choose_both_sides_where_the_obstacle_is_seen():
    _, observations, actions = policy_obstacle.demonstrations(200)
    x, _, cosine, _ = observations.T
    deciding = (x > policy_obstacle.SEEN_AT) & (x < -0.58) & (cosine > 0.95)
    turns = actions[deciding, 0]
    assert len(turns) >= 190
    assert (np.abs(turns) > 0.3).all()
    assert abs(np.sign(turns).mean()) < 0.2
    assert abs(turns.mean()) < 0.2


def test_mean_of_both_sides_collides():
    def mean(observations, seed):
        sides = np.ones(len(observations))
        both = [
            policy_obstacle.demonstrate(observations, side * sides)
            for side in (-1, 1)
        ]
        return np.mean(both, axis=0)

    random = np.random.default_rng(0)
    starts = policy_obstacle.starts(20, random)
    _, outcomes = policy_obstacle.drive(mean, starts, random)
    assert (outcomes == "collision").all()
