"""Bins worked by hand, ties, bounds, the way to JSON and back, errors."""

import json

import numpy as np
import pytest

from keras_pixel.data import Discretizer
from keras_pixel.data.discretizer import STRATEGIES


def test_uniform_bins_have_equal_widths_and_levels_their_middles():
    found = Discretizer(4, low=0.0, high=8.0)
    assert found.bin_edges.tolist() == [0, 2, 4, 6, 8]
    assert found.bin_centers.tolist() == [1, 3, 5, 7]
    values = np.array([[0.0, 1.999], [2.0, 8.0]])
    levels = found.transform(values)
    assert levels.dtype == np.uint8
    assert levels.tolist() == [[0, 0], [1, 3]]
    assert found.inverse_transform(levels).tolist() == [[1, 1], [3, 7]]


def test_mu_law_bins_are_equal_on_the_scale_of_the_standard():
    # ln(1 + 255) / 2 is the logarithm of 16: half the scale ends at 15 / 255.
    found = Discretizer(4, "mu_law", low=-1.0, high=1.0)
    np.testing.assert_allclose(
        found.bin_edges, [-1, -15 / 255, 0, 15 / 255, 1], rtol=1e-12
    )
    # A quarter: the fourth root of 256 is 4.
    np.testing.assert_allclose(
        found.bin_centers, np.array([-63, -3, 3, 63]) / 255, rtol=1e-12
    )


def test_mu_law_bounds_are_fitted_about_zero():
    found = Discretizer(4, "mu_law").fit([-0.25, 0.5])
    assert found.bin_edges[[0, 2, 4]].tolist() == [-0.5, 0, 0.5]


def test_mu_law_errs_less_than_uniform_bins_where_sound_is_quiet():
    sound = np.sin(np.arange(1000)) * 0.01
    errors = []
    for strategy in ("mu_law", "uniform"):
        found = Discretizer(256, strategy, low=-1.0, high=1.0)
        back = found.inverse_transform(found.transform(sound))
        errors.append(np.sqrt(np.mean((back - sound) ** 2)))
    assert errors[0] < errors[1] / 8


def test_quantile_bins_hold_equally_many_and_stand_for_their_mean():
    found = Discretizer(3, "quantile").fit([0.0, 2.0, 10.0, 20.0, 30.0, 90.0])
    assert found.bin_edges.tolist() == [0, 6, 25, 90]
    assert found.bin_centers.tolist() == [1, 15, 60]
    assert found.transform([1.0, 6.0, 24.9, 25.0]).tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("values", "edges", "centers"),
    [
        # What occurs most comes first, in the middle or last.
        ([0] * 7 + [1, 2], [0, 0.5, 1.5, 2], [0, 1, 2]),
        ([0] + [1] * 7 + [2], [0, 0.5, 1.5, 2], [0, 1, 2]),
        ([0, 1] + [2] * 7, [0, 0.5, 1.5, 2], [0, 1, 2]),
        # More distinct values than bins.
        ([0] * 6 + [1, 2, 3], [0, 0.5, 1.5, 3], [0, 1, 2.5]),
    ],
)
def test_ties_leave_no_bin_empty(values, edges, centers):
    found = Discretizer(3, "quantile").fit(values)
    assert found.bin_edges.tolist() == edges
    assert found.bin_centers.tolist() == centers
    assert set(found.transform(values).tolist()) == {0, 1, 2}


def test_quantile_bins_of_random_ties_are_full_and_in_order():
    random = np.random.default_rng(0)
    for _ in range(50):
        values = np.round(random.exponential(size=200), random.integers(1, 3))
        most = len(np.unique(values))
        num_bins = int(random.integers(2, min(most, 40) + 1))
        found = Discretizer(num_bins, "quantile").fit(values)
        assert len(found.bin_centers) == num_bins
        assert (np.diff(found.bin_edges) > 0).all()
        levels = found.transform(values)
        assert np.bincount(levels, minlength=num_bins).min() > 0


def test_neighbouring_floats_get_bins_of_their_own():
    values = [1.0, np.nextafter(1.0, 2.0)]
    found = Discretizer(2, "quantile").fit(values)
    assert found.transform(values).tolist() == [0, 1]
    again = Discretizer.from_config(found.get_config())
    assert again.transform(values).tolist() == [0, 1]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("num_dims", [None, 3])
def test_levels_come_back_through_their_values(strategy, num_dims):
    values = np.random.default_rng(0).normal(size=(500, 3)) * [1, 10, 100]
    found = Discretizer(16, strategy, num_dims=num_dims).fit(values)
    shape = (16,) if num_dims is None else (3, 16)
    assert found.bin_centers.shape == shape
    levels = found.transform(values)
    assert levels.shape == values.shape
    back = found.transform(found.inverse_transform(levels))
    assert (back == levels).all()
    # The config is JSON, and no digit is lost.
    config = json.loads(json.dumps(found.get_config()))
    again = Discretizer.from_config(config)
    assert (again.bin_edges == found.bin_edges).all()
    assert (again.bin_centers == found.bin_centers).all()
    assert again.get_config() == found.get_config()


def test_each_dimension_has_bounds_of_its_own():
    found = Discretizer(2, low=[0, -4], high=[1, 4], num_dims=2)
    assert found.bin_centers.tolist() == [[0.25, 0.75], [-2, 2]]
    values = np.array([[[0.6, 0.6], [0.4, -1]]])
    assert found.transform(values).tolist() == [[[1, 1], [0, 0]]]
    levels = np.array([[0, 0], [1, 0]])
    assert found.inverse_transform(levels).tolist() == [[0.25, -2], [0.75, -2]]


def test_one_bound_may_be_given_and_the_other_fitted():
    found = Discretizer(2, low=0.0).fit([1.0, 4.0])
    assert found.bin_edges.tolist() == [0, 2, 4]
    # Fitted anew, to what lies elsewhere.
    assert found.fit([1.0, 8.0]).bin_edges.tolist() == [0, 4, 8]


def test_values_out_of_bounds_are_clipped_and_counted():
    found = Discretizer(4, low=0.0, high=4.0)
    values = [-1.0, 0.0, 4.0, 4.001, 100.0]
    assert found.transform(values).tolist() == [0, 0, 3, 3, 3]
    assert found.count_out_of_bounds(values) == 3


def test_values_out_of_bounds_are_refused_on_request():
    found = Discretizer(4, low=0.0, high=4.0, out_of_bounds="error")
    with pytest.raises(ValueError, match=r"1 of 3 values .* from 1 to 9\."):
        found.transform([1.0, 2.0, 9.0])
    found = Discretizer(2, "quantile", high=4.0, out_of_bounds="error")
    with pytest.raises(ValueError, match="Widen `low` and `high`"):
        found.fit([1.0, 2.0, 9.0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_bins": 1}, "`num_bins` must be an integer from 2 to 256"),
        ({"num_bins": 257}, "Use 256 or less"),
        ({"strategy": "mu-law"}, "Did you mean 'mu_law'"),
        ({"out_of_bounds": "wrap"}, "`out_of_bounds` must be one of"),
        ({"mu": 0}, "`mu` must be a finite number above 0"),
        ({"num_dims": 0}, "`num_dims` must be"),
        ({"low": [0, 1], "num_dims": 3}, "one for each of `num_dims`"),
        ({"low": [0, 1]}, "Use a number for all dimensions"),
        ({"high": np.nan}, "`high` must be a finite number"),
        ({"high": "much"}, "`high` must be a finite number"),
        ({"low": 1, "high": 1}, "`low` must lie below `high`.*low=1, high=1"),
        ({"low": -1e308, "high": 1e308}, "difference be finite"),
        ({"low": 0, "high": 5e-324}, "Use fewer bins or wider bounds"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        Discretizer(**arguments)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_bins_must_be_known(strategy):
    with pytest.raises(ValueError, match=r"Call `fit\(values\)` first"):
        Discretizer(4, strategy).transform([1.0])
    config = Discretizer(4, strategy).get_config()
    with pytest.raises(ValueError, match="not fitted"):
        Discretizer.from_config(config).inverse_transform([1])


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ([], ValueError, "at least one value"),
        ([3.0, 3.0], ValueError, "one value only"),
        ([1.0, np.inf], ValueError, "1 of 2 values NaN or infinite"),
        ([1j], TypeError, "must be real numbers"),
        (["loud"], TypeError, "must be real numbers"),
    ],
)
def test_values_that_fit_no_bins_are_refused(values, error, words):
    with pytest.raises(error, match=words):
        Discretizer(4).fit(np.array(values))


def test_too_few_distinct_values_say_the_way_out():
    with pytest.raises(ValueError, match="Use at most 3 bins, or `strategy"):
        Discretizer(4, "quantile").fit([1.0, 2.0, 3.0] * 10)


def test_shapes_and_levels_are_checked():
    found = Discretizer(4, low=0.0, high=1.0, num_dims=2)
    with pytest.raises(ValueError, match=r"values.shape=\(2, 3\), num_dims=2"):
        found.transform(np.zeros((2, 3)))
    with pytest.raises(TypeError, match="`levels` must hold integers"):
        found.inverse_transform([[0.0, 1.0]])
    with pytest.raises(ValueError, match="levels from 0 to 4"):
        found.inverse_transform([[0, 4]])
    with pytest.raises(ValueError, match=r"levels.shape=\(1,\)"):
        found.inverse_transform([0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bins": 3}, "key='bins'. Did you mean 'num_bins'"),
        ({"bin_edges": [0, 0, 2]}, "each with its centre inside"),
        ({"bin_centers": [0, 5]}, "each with its centre inside"),
        ({"bin_edges": [0, 1]}, "each with its centre inside"),
        ({"bin_centers": "none"}, "each with its centre inside"),
    ],
)
def test_wrong_config_is_refused(change, words):
    config = Discretizer(2, "quantile").fit([0.0, 1.0]).get_config()
    with pytest.raises(ValueError, match=words):
        Discretizer.from_config({**config, **change})
