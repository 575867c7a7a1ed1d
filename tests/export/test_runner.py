"""The runner's buffers: fixed addresses, and nothing made in a call."""

import warnings

import numpy as np
import onnxruntime
import pytest

from benchmarks.export import load_runner
from keras_pixel import PixelCNN
from keras_pixel import export
from tests.support.tiny import tiny_model


@pytest.fixture(scope="module")
def runner():
    return load_runner()


@pytest.fixture(
    scope="module",
    params=[pytest.param("gated", marks=pytest.mark.slow), "pixelcnn"],
)
def case(request, tmp_path_factory):
    """A model in raster order with row work, and one along a wavefront."""
    model = tiny_model(request.param)
    path = tmp_path_factory.mktemp("runner") / "onnx"
    return model, export.onnx(model, path, step_batch_size=2)


@pytest.mark.parametrize("words", [["-1", "x.npy"], ["1", "x", "--seed=-1"]])
def test_number_below_0_is_one_line(runner, words, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["runner.py", "none", *words])
    with pytest.raises(SystemExit) as stopped:
        runner.main()
    assert stopped.value.code == 2
    assert "must be at least 0" in capsys.readouterr().err


def noise_for(model, count):
    random = np.random.default_rng(count)
    return random.random((count, *model.noise_shape), "float32")


def addresses(sampler):
    """Address of every tensor that a graph reads or writes."""
    values = [
        *sampler._inputs.values(),
        *sampler._rows.values(),
        *(place for places in sampler._states.values() for place in places),
        sampler._levels,
        sampler._logits,
    ]
    return [value.data_ptr() for value in values]


def test_addresses_are_fixed_and_different(case, runner):
    model, folder = case
    sampler = runner.StepSampler(folder, "cpu")
    before = addresses(sampler)
    assert len(set(before)) == len(before) > 4
    for count in (1, 3, 2):
        sampler.sample(noise_for(model, count))
        assert addresses(sampler) == before


def test_each_captured_graph_has_its_own_addresses(case, runner, monkeypatch):
    """What is bound under a number of a graph is bound there for good."""
    model, folder = case
    sampler = runner.StepSampler(folder, "cpu")
    bound, seen = {}, {}

    class Binding:
        def __init__(self, binding):
            self.binding, self.places = binding, []

        def bind_ortvalue_input(self, name, value):
            self.places.append((name, value.data_ptr()))
            self.binding.bind_ortvalue_input(name, value)

        def bind_ortvalue_output(self, name, value):
            self.places.append((name, value.data_ptr()))
            self.binding.bind_ortvalue_output(name, value)

    class Session:
        def __init__(self, name, session):
            self.name, self.session = name, session

        def io_binding(self):
            return Binding(self.session.io_binding())

        def run_with_iobinding(self, binding, options):
            number = options.get_run_config_entry("gpu_graph_id")
            key = self.name, number
            assert int(number) > 0
            assert bound.setdefault(key, binding.places) == binding.places
            seen[key] = seen.get(key, 0) + 1
            self.session.run_with_iobinding(binding.binding, options)

    for name in ("step", "row"):
        graph = getattr(sampler, name)
        if graph is not None:
            graph.session = Session(name, graph.session)
    images = sampler.sample(noise_for(model, 4))
    np.testing.assert_array_equal(
        images, model.sample(noise=noise_for(model, 4))
    )
    steps = [key for key in bound if key[0] == "step"]
    assert 2 <= len(steps) <= 4
    assert len({tuple(bound[key]) for key in steps}) == len(steps)
    # Two batches of two.
    assert sum(seen[key] for key in steps) == 2 * sampler.num_calls


def test_a_call_makes_no_tensor(case, runner, monkeypatch):
    model, folder = case
    sampler = runner.StepSampler(folder, "cpu")
    expected = sampler.sample(noise_for(model, 2))

    def refuse(*args, **kwargs):
        raise RuntimeError("A tensor was made.")

    for name in ("ortvalue_from_numpy", "ortvalue_from_shape_and_type"):
        monkeypatch.setattr(onnxruntime.OrtValue, name, refuse)
    for name in ("ascontiguousarray", "concatenate", "moveaxis"):
        monkeypatch.setattr(np, name, _only_outside(sampler, getattr(np, name)))
    monkeypatch.setattr(sampler.step.session, "io_binding", refuse)
    found = sampler.sample(noise_for(model, 2))
    np.testing.assert_array_equal(found, expected)


def test_mixture_searches_at_a_temperature_of_1(runner, tmp_path):
    model = PixelCNN(
        image_shape=(3, 4, 2),
        head_filters=0,
        num_levels=5,
        filters=8,
        num_blocks=1,
        distribution="logistic_mixture",
        num_mixtures=2,
    )
    folder = export.onnx(model, tmp_path / "onnx", step_batch_size=2)
    sampler = runner.StepSampler(folder, "cpu")
    assert "temperature" not in sampler.step_temperature_1.inputs
    noise, used = noise_for(model, 3), []

    class Counting:
        def __init__(self, session, name):
            self.session, self.name = session, name
            self.io_binding = session.io_binding

        def run_with_iobinding(self, *args):
            used.append(self.name)
            self.session.run_with_iobinding(*args)

    for name in ("step", "step_temperature_1"):
        graph = getattr(sampler, name)
        graph.session = Counting(graph.session, name)
    for temperature, names in (
        (1.0, {"step_temperature_1"}),
        (0.7, {"step"}),
        (1.0, {"step_temperature_1"}),
        ([1.0, 1.0, 0.7], {"step", "step_temperature_1"}),
    ):
        used.clear()
        np.testing.assert_array_equal(
            sampler.sample(noise, temperature),
            model.sample(noise=noise, temperature=temperature),
        )
        assert set(used) == names


def _only_outside(sampler, function):
    """`function`, refused between the first call of a batch and its last."""

    def run(*args, **kwargs):
        runs = getattr(sampler, "_runs", {"step": 0})["step"]
        if 0 < runs < sampler.num_calls:
            raise RuntimeError(f"{function.__name__} makes an array.")
        return function(*args, **kwargs)

    return run


def test_a_call_can_be_run_twice(case, runner):
    """As ONNX Runtime does where it captures: with the same result."""
    model, folder = case
    sampler = runner.StepSampler(folder, "cpu")
    for graph in (sampler.step, sampler.row):
        if graph is None:
            continue

        class Twice:
            def __init__(self, session):
                self.io_binding = session.io_binding
                self.run = session.run_with_iobinding

            def run_with_iobinding(self, *args):
                self.run(*args)
                self.run(*args)

        graph.session = Twice(graph.session)
    noise = noise_for(model, 2)
    np.testing.assert_array_equal(
        sampler.sample(noise), model.sample(noise=noise)
    )


class _Session:
    """Stands for an InferenceSession on a GPU; keeps what it is made with."""

    made: list = []
    refuses = False

    def __init__(self, path, options, providers, enable_fallback):
        self.made.append((providers, enable_fallback))
        ((_, provider_options),) = providers
        if self.refuses and provider_options:
            raise RuntimeError("The graph cannot be captured")

    def get_inputs(self):
        return []

    get_outputs = get_inputs


@pytest.mark.parametrize(
    ("cuda_graph", "refuses", "captured", "tried"),
    [
        (True, False, True, [{"enable_cuda_graph": "1"}]),
        (True, True, False, [{"enable_cuda_graph": "1"}, {}]),
        (False, False, False, [{}]),
    ],
    ids=["captured", "refused", "switched_off"],
)
def test_graphs_are_captured_on_a_gpu_where_they_can_be(
    runner, monkeypatch, tmp_path, cuda_graph, refuses, captured, tried
):
    monkeypatch.setattr(onnxruntime, "InferenceSession", _Session)
    monkeypatch.setattr(_Session, "made", [])
    monkeypatch.setattr(_Session, "refuses", refuses)
    path = tmp_path / "step.onnx"
    if refuses:
        with pytest.warns(UserWarning, match=r"step.onnx is not captured.*can"):
            graph = runner._Graph(path, "cuda", cuda_graph)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            graph = runner._Graph(path, "cuda", cuda_graph)
    assert graph.is_captured == captured
    assert _Session.made == [
        ([("CUDAExecutionProvider", options)], 0) for options in tried
    ]


def test_nothing_is_captured_on_a_cpu(runner, case):
    _, folder = case
    sampler = runner.StepSampler(folder, "cpu")
    assert not sampler.step.is_captured
    assert sampler.step.session.get_providers() == ["CPUExecutionProvider"]
