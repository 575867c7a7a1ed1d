import keras
import ml_dtypes
import numpy as np
import pytest

from keras_pixel.training.checkpoint import Checkpoints
from keras_pixel.training.checkpoint import load_arrays
from keras_pixel.training.checkpoint import save_arrays


def make_model(units=3):
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(units),
            keras.layers.Dropout(0.5),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(use_ema=True), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def fill(model, value):
    for variable in model.variables + model.optimizer.variables:
        variable.assign(np.full(variable.shape, value, variable.dtype))


def values(model):
    found = model.variables + model.optimizer.variables
    return [keras.ops.convert_to_numpy(v.value) for v in found]


def is_filled(model, value):
    return all((array == value).all() for array in values(model))


def test_arrays_come_back_bit_for_bit(tmp_path):
    arrays = {
        "half": np.array([1.5, -2.0], ml_dtypes.bfloat16),
        "count": np.array(3, "int64"),
        "weights": np.random.default_rng(0).normal(size=(2, 3)),
    }
    save_arrays(tmp_path / "a.npz", arrays, {"step": 7})
    found, metadata = load_arrays(tmp_path / "a.npz")
    assert metadata == {"step": 7}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].tobytes() == array.tobytes()


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", json=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="truncated or altered.*pickle"):
        load_arrays(tmp_path / "a.npz")


def test_every_variable_is_saved_dropout_and_averages_too(tmp_path):
    model = make_model()
    fill(model, 1)
    # 2 weights, their averages and two moments of each, the step, the
    # learning rate and dropout's seed.
    assert len(values(model)) == 11
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(model, {"step": 10})
    fill(model, 2)
    assert checkpoints.restore(model) == {"step": 10}
    assert is_filled(model, 1)


def test_the_two_newest_are_kept(tmp_path):
    checkpoints, model = Checkpoints(tmp_path), make_model()
    for step in (5, 10, 100, 1000):
        checkpoints.save(model, {"step": step})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-000000100.npz",
        "checkpoint-000001000.npz",
    ]


@pytest.mark.parametrize("damage", ["truncated", "altered", "emptied"])
def test_a_damaged_checkpoint_falls_back_with_a_message(tmp_path, damage):
    checkpoints, model, said = Checkpoints(tmp_path), make_model(), []
    for step in (10, 20):
        fill(model, step)
        checkpoints.save(model, {"step": step})
    newest = checkpoints.paths()[0]
    content = bytearray(newest.read_bytes())
    if damage == "altered":
        content[len(content) // 2] ^= 1
    newest.write_bytes(
        {
            "truncated": content[: len(content) // 2],
            "altered": content,
            "emptied": b"",
        }[damage]
    )
    assert checkpoints.restore(model, said.append) == {"step": 10}
    assert is_filled(model, 10)
    assert "000000020.npz" in said[0] and "before it" in said[0]
    assert checkpoints.restore(model, said.append) == {"step": 10}
    assert len(said) == 1


def test_when_none_can_be_read_the_model_stays_and_an_error_says_so(tmp_path):
    checkpoints, model = Checkpoints(tmp_path), make_model()
    checkpoints.save(model, {"step": 10})
    checkpoints.paths()[0].write_bytes(b"PK")
    fill(model, 3)
    for _ in range(2):
        with pytest.raises(ValueError, match="where none can"):
            checkpoints.restore(model, lambda message: None)
    assert is_filled(model, 3)


def test_no_checkpoint_is_no_error(tmp_path):
    assert Checkpoints(tmp_path / "new").restore(make_model()) is None


def test_leftovers_of_a_kill_are_removed(tmp_path):
    leftover = tmp_path / ".checkpoint-000000010.npz.123.tmp"
    leftover.write_bytes(b"half")
    assert Checkpoints(tmp_path).restore(make_model()) is None
    assert not leftover.exists()


def test_another_models_checkpoint_is_refused(tmp_path):
    checkpoints, model = Checkpoints(tmp_path), make_model(units=4)
    checkpoints.save(make_model(units=3), {"step": 10})
    fill(model, 1)
    with pytest.raises(ValueError, match=r"shape \(2, 3\), for a model with"):
        checkpoints.restore(model)
    assert is_filled(model, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_weights_are_never_saved(tmp_path, bad):
    checkpoints, model = Checkpoints(tmp_path), make_model()
    fill(model, 1)
    checkpoints.save(model, {"step": 10})
    model.variables[0].assign(np.full((2, 3), bad))
    with pytest.raises(FloatingPointError, match="must be finite"):
        checkpoints.save(model, {"step": 20})
    assert [p.name for p in checkpoints.paths()] == ["checkpoint-000000010.npz"]
