import keras
import pytest

from keras_pixel.training import WarmupDecay


def rates(steps, **arguments):
    schedule = WarmupDecay(0.8, 12, **arguments)
    return [schedule.at(step) for step in steps]


def test_warm_up_rises_to_the_highest_rate():
    found = rates(range(6), warmup_steps=4)
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        # Steps 4, 8, 12 and 20 of 12, after 4 of warm-up: p = 0, 1/2, 1, 1.
        ("constant", [0.8, 0.8, 0.8, 0.8]),
        ("linear", [0.8, 0.5, 0.2, 0.2]),
        ("cosine", [0.8, 0.5, 0.2, 0.2]),
        ("exponential", [0.8, 0.4, 0.2, 0.2]),
    ],
)
def test_decays_to_the_final_fraction(decay, expected):
    found = rates(
        [4, 8, 12, 20], warmup_steps=4, decay=decay, final_fraction=0.25
    )
    assert found == pytest.approx(expected)


def test_cosine_is_flat_at_its_ends():
    found = rates([0, 3, 9, 12], decay="cosine")
    # 0.8 * (1 + cos(pi / 4)) / 2 and 0.8 * (1 - cos(pi / 4)) / 2.
    assert found == pytest.approx([0.8, 0.682843, 0.117157, 0.0], abs=1e-6)


def test_the_optimizer_counts_batches():
    schedule = WarmupDecay(0.8, 12, warmup_steps=4, batches_per_step=3)
    found = [float(schedule(batch)) for batch in range(7)]
    assert found == pytest.approx([0.2, 0.2, 0.2, 0.4, 0.4, 0.4, 0.6])


def test_counts_beyond_what_float32_can():
    schedule = WarmupDecay(1.0, 10**9, decay="linear")
    assert schedule.at(5 * 10**8) == pytest.approx(0.5)


def test_config_round_trip():
    schedule = WarmupDecay(0.8, 12, 4, "cosine", 0.1, 2)
    config = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == schedule.get_config()


def test_unknown_decay_is_refused():
    with pytest.raises(ValueError, match="`decay` must be one of.*'cosin'"):
        WarmupDecay(0.1, 10, decay="cosin")


def test_exponential_decay_to_zero_is_refused():
    with pytest.raises(ValueError, match="`final_fraction` must be positive"):
        WarmupDecay(0.1, 10, decay="exponential")
