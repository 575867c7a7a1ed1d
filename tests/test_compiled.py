"""What Keras compiles works in its own dtypes under any dtype policy."""

import os
import threading

import keras
import numpy as np
import pytest

from keras_pixel import PixelCNN
from keras_pixel import PixelModel
from keras_pixel import layers
from keras_pixel.compiled import Compiled
from keras_pixel.compiled import Programs
from keras_pixel.compiled import num_threads
from keras_pixel.compiled import padded_size
from tests.support import catalogue


@pytest.fixture
def low_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def test_inputs_keep_their_dtype(low_precision):
    dense = keras.layers.Dense(1)
    dense.build((None, 1))
    runner = Compiled(lambda inputs: inputs["noise"] + 0, dense)
    noise = np.full((1, 2), 1 - 2**-24, "float32")
    outputs = np.asarray(runner({"noise": noise}))
    assert outputs.dtype == "float32"
    np.testing.assert_array_equal(outputs, noise)


@pytest.mark.parametrize("method", ["cached", "naive"])
def test_rare_level_is_drawn_as_often_as_it_should(low_precision, method):
    model = PixelCNN((4, 4, 1), num_levels=2, filters=2, num_blocks=0)
    head = model.get_layer("head")
    for weight in head.weights:
        weight.assign(keras.ops.zeros_like(weight))
    head.bias.assign(np.reshape(np.log([0.999, 0.001]), head.bias.shape))
    images = model.sample(4096, seed=0, batch_size=4096, method=method)
    assert set(np.unique(images)) == {0, 1}
    assert 0.0007 < images.mean() < 0.0013


@pytest.mark.parametrize("is_fixed", [False, True])
def test_weights_are_read_anew(is_fixed):
    dense = keras.layers.Dense(1, use_bias=False)
    dense.build((None, 1))
    runner = Compiled(lambda inputs: dense(inputs), dense, is_fixed=is_fixed)
    for value in (2.0, 3.0):
        dense.kernel.assign([[value]])
        outputs = runner(np.ones((1, 1), "float32"))
        assert float(np.asarray(outputs)[0, 0]) == value


@pytest.mark.parametrize("jit_compile", [False, True])
def test_fixed_inputs_and_outputs_keep_their_places(jit_compile):
    def function(inputs):
        b, (a,) = inputs["b"], inputs["a"]
        return {"difference": b - a, "kept": [(b, a)], "count": inputs["c"] + 1}

    runner = Compiled(
        function, keras.layers.Dense(1), jit_compile, is_fixed=True
    )
    kept = np.ones(2, "float32")
    for i in range(3):
        inputs = {"b": 5 * kept, "a": (kept,), "c": np.int32(i)}
        found = runner.tensors(inputs)
        assert np.asarray(found["difference"]).tolist() == [4, 4]
        ((b, kept),) = found["kept"]  # tensors, in the next call
        assert (np.asarray(b) == 5).all() and (np.asarray(kept) == 1).all()
        assert found["count"].dtype in ("int32", np.int32)
        assert int(found["count"]) == i + 1


def doubled():
    return lambda inputs: inputs * 2


@pytest.fixture
def dense():
    layer = keras.layers.Dense(1)
    layer.build((None, 1))
    return keras.Sequential([keras.Input((1,)), layer])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_batches_are_padded_and_cut_again(dense, jit_compile):
    inputs = np.arange(7, dtype="float32")[:, None]
    found = Programs(dense).run(
        "double", doubled, inputs, 3, jit_compile=jit_compile
    )
    found = list(found)
    assert [len(x) for x in found] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(found), inputs * 2)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_batch_is_computed_in_parts_side_by_side(dense, jit_compile):
    programs, threads = Programs(dense), set()

    def make_function():
        def function(inputs):
            threads.add(threading.current_thread())
            return {"double": 2 * inputs["x"], "sum": inputs["x"][:, 0] + 1}

        return function

    inputs = {"x": np.arange(14.0).reshape(7, 2).astype("float32")}
    (outputs,) = programs.run(
        "key", make_function, inputs, 8, jit_compile, threads=3, sizes=(8,)
    )
    # Three parts of three rows: eight, padded to nine.
    np.testing.assert_array_equal(outputs["double"], 2 * inputs["x"])
    np.testing.assert_array_equal(outputs["sum"], inputs["x"][:, 0] + 1)
    assert list(programs._programs) == [("key", jit_compile, 3)]
    assert threading.main_thread() not in threads
    # Too few rows to share.
    few = {"x": inputs["x"][:2]}
    list(programs.run("key", make_function, few, 8, jit_compile, threads=3))
    assert threading.main_thread() in threads


def test_error_in_a_part_is_the_error_of_the_batch(dense):
    def fail(inputs):
        raise ValueError("not this one")

    rows = np.zeros((8, 1), "float32")
    with pytest.raises(ValueError, match="not this one"):
        list(Programs(dense).run("key", lambda: fail, rows, 8, threads=2))


def test_threads_are_the_cores_that_may_be_used(monkeypatch):
    devices = ["cpu:0"]
    monkeypatch.setattr(
        keras.distribution, "list_devices", lambda *kind: devices
    )
    cores = {0, 2, 5}
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda process: cores, raising=False
    )
    assert num_threads() == 3
    with monkeypatch.context() as shared:
        shared.setattr(keras.distribution, "distribution", lambda: "shared")
        assert num_threads() == 1
    devices.append("gpu:0")
    assert num_threads() == 1


def test_last_programs_are_kept(dense):
    programs, made = Programs(dense, most=2), []

    def make(name):
        made.append(name)
        return doubled()

    def run(name):
        list(programs.run(name, lambda: make(name), np.ones((1, 1)), 1))

    for name in "abacb":
        run(name)
    assert len(programs) == 2
    # "a" was used after "b" when "c" came, so "b" was dropped.
    assert made == ["a", "b", "c", "b"]


@pytest.mark.parametrize(
    ("number", "batch_size", "size"),
    [(3, 64, 4), (3, 2, 2), (5, 20_000, 16), (17, 20_000, 32), (40, 35, 35)],
)
def test_padding_is_never_much(number, batch_size, size):
    assert padded_size(number, batch_size, (1, 4, 16)) == size


def test_sizes_share_a_program_where_they_can(dense):
    programs = Programs(dense)
    for size in range(1, 20):
        inputs = np.ones((size, 1), "float32")
        list(programs.run("x", doubled, inputs, size, False, any_size=True))
    assert len(programs) == 1


def own_model(activation="relu"):
    images = keras.Input((2, 2, 1), dtype="int32")
    x = layers.ScaleLevels(4)(images)
    x = layers.MaskedConv2D(8, 3, mask_type="A")(x)
    x = keras.layers.Dense(8, activation=activation, name="dense")(x)
    outputs = layers.CategoricalHead(4)(x)
    return catalogue.randomize(PixelModel(images, outputs, num_levels=4))


def enable_lora(model):
    dense = model.get_layer("dense")
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.ones(dense.lora_kernel_b.shape))


def change_activation(model):
    model.get_layer("dense").activation = keras.activations.softplus


def change_policy(model):
    model.get_layer("dense").dtype_policy = keras.DTypePolicy("mixed_bfloat16")


def quantize(model):
    model.get_layer("dense").quantize("int8")


@pytest.mark.parametrize(
    "change", [enable_lora, change_activation, change_policy, quantize]
)
def test_changed_model_is_compiled_anew(change):
    model = own_model()
    images = catalogue.levels(model, 4)
    mask = np.zeros((2, 2), bool)
    noise = np.random.default_rng(0).random((64, 2, 2, 1), "float32")

    def everything():
        return (
            model.log_prob(images),
            model.conditional_bits_per_dim(images, mask),
            model.features(images),
            model.sample(noise=noise, method="naive"),
        )

    before = everything()
    change(model)
    after = everything()
    truth = model.pixel_distribution.log_prob(
        model(images.astype("int32"), training=False), images
    )
    truth = np.asarray(truth).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(after[0], truth, rtol=1e-4)
    bits = -truth / (4 * np.log(2))
    np.testing.assert_allclose(after[1], bits, rtol=1e-4)
    for new, old in zip(after[:3], before[:3], strict=True):
        assert (new != old).any()
    if change in (enable_lora, change_activation):  # the large changes
        assert (after[3] != before[3]).any()


def test_compile_drops_programs():
    model = own_model()
    model.log_prob(catalogue.levels(model))
    assert len(model.sampler.programs)
    model.compile()
    assert not len(model.sampler.programs)


def test_threads_may_score_and_draw_at_once():
    model = own_model()
    images = catalogue.levels(model, 6)
    expected = own_model().log_prob(images)
    drawn = own_model().sample(2, seed=0, method="naive")
    found, problems = [], []

    def work():
        try:
            for _ in range(3):
                found.append(model.log_prob(images))
                again = model.sample(2, seed=0, method="naive")
                np.testing.assert_array_equal(again, drawn)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    for scores in found:
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
