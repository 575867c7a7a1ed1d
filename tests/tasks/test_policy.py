"""Policies: probabilities that sum to 1, and actions that follow them."""

import itertools

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel import models
from keras_pixel import tasks
from keras_pixel.data import Discretizer
from tests.support import catalogue

LOW, HIGH = (-1.0, 0.0), (1.0, 8.0)
SEEN = np.array([0.5, -1.0, 2.0])


def encoder():
    seen = keras.Input((3,))
    return keras.Model(seen, keras.layers.Dense(4, "tanh")(seen))


def make_model(**arguments):
    arguments = {"condition": encoder(), **arguments}
    model = models.PixelLSTM(
        (1, 2, 1), 4, hidden_dim=4, num_layers=1, **arguments
    )
    return catalogue.randomize(model)


@pytest.fixture(scope="module")
def policy():
    return tasks.Policy(make_model(), Discretizer(4, "uniform", LOW, HIGH, 2))


def all_actions(policy):
    centers = policy.discretizer.bin_centers
    return np.array(list(itertools.product(*centers)))


def test_levels_are_images_of_one_row(policy):
    # Bins of 0.5 and of 2.
    levels = policy.levels(np.array([[-1.0, 7.9], [0.1, 1.9]]))
    assert levels.dtype == np.uint8
    assert levels.tolist() == [[[[0], [3]]], [[[2], [0]]]]


def test_probabilities_of_all_bins_sum_to_1(policy):
    log_prob = policy.log_prob(SEEN, all_actions(policy))
    assert log_prob.shape == (16,)
    np.testing.assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-5)
    other = policy.log_prob(-SEEN, all_actions(policy))
    assert np.abs(log_prob - other).max() > 0.01


def test_density_is_probability_over_area(policy):
    actions = all_actions(policy)
    bins = policy.log_prob(SEEN, actions)
    density = policy.log_prob(SEEN, actions, density=True)
    # Each bin has an area of 0.5 * 2 = 1 here, and of 2 * 2 = 4 below.
    np.testing.assert_allclose(density, bins, atol=1e-6)
    wide = tasks.Policy(make_model(), Discretizer(4, "uniform", -4, 4))
    two = wide.log_prob(SEEN, [0.1, -3.9])
    found = wide.log_prob(SEEN, [0.1, -3.9], density=True)
    np.testing.assert_allclose(found, two - np.log(4), rtol=1e-6)


def test_out_of_bounds_has_the_last_bin_but_no_density(policy):
    inside, outside = np.array([0.9, 1.0]), np.array([1.1, 1.0])
    assert policy.log_prob(SEEN, outside) == policy.log_prob(SEEN, inside)
    assert policy.log_prob(SEEN, outside, density=True) == -np.inf
    assert np.isfinite(policy.log_prob(SEEN, [1.0, 8.0], density=True))


def test_one_and_many(policy):
    seen = np.stack([SEEN, -SEEN])
    actions = policy.act(seen, seed=3)
    assert actions.shape == (2, 2)
    one = policy.act(SEEN, seed=3)
    assert one.shape == (2,)
    assert (one == actions[0]).all()  # noise of an action is of its place
    scores = policy.log_prob(seen, actions)
    assert scores.shape == (2,)
    alone = policy.log_prob(-SEEN, actions[1])
    assert np.ndim(alone) == 0
    np.testing.assert_allclose(alone, scores[1], rtol=1e-5)
    assert policy.act(np.zeros((0, 3))).shape == (0, 2)


def test_actions_are_as_frequent_as_probable(policy):
    actions = policy.act(np.repeat(SEEN[None], 4000, 0), 0, batch_size=256)
    every = all_actions(policy)
    number = [(actions == one).all(axis=1).sum() for one in every]
    assert sum(number) == 4000
    expected = np.exp(policy.log_prob(SEEN, every))
    spread = np.sqrt(expected * (1 - expected) / 4000)
    assert (np.abs(np.array(number) / 4000 - expected) < 5 * spread).all()


def test_cold_policy_takes_the_most_probable_bins(policy):
    cold = policy.act(SEEN, seed=0, temperature=1e-3)
    first = policy.act(SEEN, seed=1, temperature=1e-3)
    assert (cold == first).all()


def test_generator_goes_on(policy):
    random = np.random.default_rng(0)
    seen = np.repeat(SEEN[None], 16, axis=0)
    one, two = policy.act(seen, random), policy.act(seen, random)
    assert (one != two).any()
    assert (one == policy.act(seen, 0)).all()


def test_preset_keeps_encoder_and_bins(policy, tmp_path):
    policy.model.save_preset(tmp_path / "policy")
    again = tasks.Policy(keras_pixel.load(tmp_path / "policy"))
    assert again.discretizer.get_config() == policy.discretizer.get_config()
    assert (again.act(SEEN, seed=5) == policy.act(SEEN, seed=5)).all()
    np.testing.assert_allclose(
        again.log_prob(SEEN, [0.2, 3.0]),
        policy.log_prob(SEEN, [0.2, 3.0]),
        rtol=1e-6,
    )


def test_two_modes_are_learned_and_not_their_mean():
    """The second dimension has the sign of the first, which is a coin's."""
    random = np.random.default_rng(0)
    signs = random.choice([-1.0, 1.0], size=(256, 1))
    actions = signs * np.array([0.9, 0.6])
    seen = random.normal(size=(256, 3)).astype("float32")
    keras.utils.set_random_seed(0)
    model = models.PixelLSTM(
        (1, 2, 1), 5, hidden_dim=8, num_layers=1, condition=encoder()
    )
    policy = tasks.Policy(model, Discretizer(5, "uniform", -1, 1))
    model.compile(keras.optimizers.Adam(0.05))
    inputs = {"images": policy.levels(actions), "condition": seen}
    model.fit(inputs, batch_size=64, epochs=20, verbose=0)
    drawn = policy.act(seen[:64], seed=0)
    both = np.abs(drawn - np.sign(drawn[:, :1]) * [0.8, 0.8])
    assert (both.max(axis=1) < 0.5).mean() > 0.9
    assert 0.2 < (drawn[:, 0] > 0).mean() < 0.8


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: tasks.Policy(
                models.PixelCNN(
                    (2, 2, 1), 4, filters=2, num_blocks=1, head_filters=0
                )
            ),
            r"`model` must be of images \(1, num_dims, 1\)",
        ),
        (
            lambda: tasks.Policy(make_model(condition=None)),
            r"`model` must be told observations.*a model told \[\]",
        ),
        (
            lambda: tasks.Policy(make_model(num_classes=2)),
            "`model` must be told observations, and nothing else",
        ),
        (
            lambda: tasks.Policy(make_model()),
            "`discretizer` must be given, or be set on the model",
        ),
        (
            lambda: tasks.Policy(make_model(), Discretizer(5, low=0, high=1)),
            "`discretizer` must have as many bins.*num_bins=5",
        ),
        (
            lambda: tasks.Policy(
                make_model(), Discretizer(4, low=0, high=1, num_dims=3)
            ),
            "`discretizer` must have as many bins.*num_dims=3",
        ),
        (
            lambda: tasks.Policy(make_model(), Discretizer(4)),
            "must be known before it is used",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: p.act(None), "`observation` must be given"),
        (lambda p: p.act(np.zeros(4)), "`observation` must have the shape"),
        (lambda p: p.act(np.full(3, np.nan)), "`observation` must be finite"),
        (lambda p: p.act(SEEN, temperature=0.0), "`temperature` must"),
        (lambda p: p.act(SEEN, seed=-1), "`seed` must be"),
        (
            lambda p: p.log_prob(SEEN, np.zeros(3)),
            r"`actions` must have the shape \(batch, 2\)",
        ),
        (
            lambda p: p.log_prob(np.zeros((3, 3)), np.zeros((2, 2))),
            r"`observation` must have the shape \(3,\), for all",
        ),
        (lambda p: p.levels(np.zeros(2)), "`actions` must have the shape"),
    ],
)
def test_wrong_arguments_are_refused(policy, call, words):
    with pytest.raises(ValueError, match=words):
        call(policy)


def test_density_of_a_bin_of_one_value_is_refused():
    bins = Discretizer.from_config(
        {
            **{"num_bins": 4, "strategy": "quantile"},
            "bin_edges": [0.0, 1.0, 2.0, 3.0, 3.0],
            "bin_centers": [0.5, 1.5, 2.5, 3.0],
        }
    )
    policy = tasks.Policy(make_model(), bins)
    assert np.isfinite(policy.log_prob(SEEN, [3.0, 0.0]))
    with pytest.raises(ValueError, match="`density` needs bins that have a"):
        policy.log_prob(SEEN, [3.0, 0.0], density=True)
