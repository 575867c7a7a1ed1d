"""Samples from `row.onnx` and `step.onnx` with ONNX Runtime.

    python runner.py FOLDER 16 samples.npy --seed 0

Needs numpy and onnxruntime (or onnxruntime-gpu), nothing else. The states stay
where the graphs run: on a GPU if ONNX Runtime has CUDA. Only noise and levels,
a few bytes a pixel, are moved.
"""

import argparse
import json
import pathlib

import numpy as np
import onnxruntime

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


class StepSampler:
    """Draws images pixel by pixel, the states bound to the graphs.

    Args:
        folder: folder that `keras_pixel.export.onnx` wrote.
        device: "cpu", "cuda", or `None` for CUDA where it is.
    """

    def __init__(self, folder, device=None):
        folder = pathlib.Path(folder)
        if device is None:
            available = onnxruntime.get_available_providers()
            has_cuda = "CUDAExecutionProvider" in available
            device = "cuda" if has_cuda else "cpu"
        self.device = device
        self.row = _Graph(folder / "row.onnx", device)
        self.step = _Graph(folder / "step.onnx", device)
        metadata = self.row.session.get_modelmeta().custom_metadata_map
        metadata = {key: json.loads(x) for key, x in metadata.items()}
        self.image_shape = tuple(metadata["image_shape"])
        self.num_levels = metadata["num_levels"]
        self.batch_size = metadata["batch_size"]
        self._fills = metadata["first_states"]
        self._states = {}
        self._spare = {}

    def sample(self, noise, temperature=1.0, images=None, known=None):
        """Draw images, or the unknown pixels of images.

        Args:
            noise: float array `(n, height, width, channels)` in [0, 1). 1,
                which a float64 close to it becomes as a float32, counts as
                the largest float32 below 1.
            temperature: float of at least 0, or one for each image. Below
                1e-4 the most probable level is drawn anyway.
            images: levels of the shape of `noise`, given with `known`; those
                of unknown pixels are not looked at.
            known: bool array `(n, height, width)`, True where a pixel is
                kept.

        Returns:
            uint8 array of the shape of `noise`.

        Raises:
            ValueError: if shapes or values are wrong.
        """
        noise = np.asarray(noise)
        self._check_noise(noise)
        noise = noise.astype("float32")
        count = len(noise)
        given = self._given(noise.shape, images, known)
        temperature = _temperatures(temperature, count)
        batches = [np.zeros((0, *self.image_shape), "uint8")]
        for start in range(0, count, self.batch_size):
            part = slice(start, start + self.batch_size)
            batches.append(
                self._draw(noise[part], temperature[part], given[part])
            )
        return np.concatenate(batches)

    def _check_noise(self, noise):
        if noise.ndim != 4 or noise.shape[1:] != self.image_shape:
            raise ValueError(
                "`noise` must have the shape (n, height, width, channels) "
                f"with {self.image_shape} of the model. "
                f"Received: noise.shape={noise.shape}. Draw it of that shape."
            )
        is_float = np.issubdtype(noise.dtype, np.floating)
        if not is_float or not ((noise >= 0) & (noise <= 1)).all():
            raise ValueError(
                "`noise` must be floats in [0, 1). "
                f"Received: noise.dtype={noise.dtype}, "
                f"{_range_of(noise)}. Draw it uniformly, as NumPy's `random` "
                "does."
            )

    def _given(self, shape, images, known):
        """Levels of known pixels, -1 for what is to be drawn."""
        if (images is None) != (known is None):
            missing = "images" if images is None else "known"
            raise ValueError(
                "`images` and `known` must be given together. Received: "
                f"{missing}=None. Give both to complete images, or neither to "
                "draw new ones."
            )
        if known is None:
            return np.full(shape, -1, "int32")
        images, known = np.asarray(images), np.asarray(known)
        if images.shape != shape or known.shape != shape[:3]:
            raise ValueError(
                "`images` must have the shape of `noise`, and `known` that "
                "without the channels. Received: "
                f"images.shape={images.shape}, known.shape={known.shape}, "
                f"noise.shape={shape}. Give one of each for each image."
            )
        known = known.astype(bool)[..., None]
        levels = np.where(known, images, 0)
        whole = np.issubdtype(images.dtype, np.integer)
        if not whole or not ((levels >= 0) & (levels < self.num_levels)).all():
            raise ValueError(
                "`images` must hold integer levels from 0 to "
                f"{self.num_levels - 1} where a pixel is known. Received: "
                f"images.dtype={images.dtype}, {_range_of(levels)}. Quantise "
                f"8-bit images with images.astype(int) * {self.num_levels} "
                "// 256."
            )
        return np.where(known, levels.astype("int32"), -1)

    def _draw(self, noise, temperature, given):
        count = len(noise)
        # Graphs of fixed shapes: a smaller batch is filled up.
        noise, temperature, given = (
            np.concatenate([x, np.repeat(x[:1], self.batch_size - count, 0)])
            for x in (noise, temperature, given)
        )
        self._begin()
        self.step.binding.bind_cpu_input("temperature", temperature)
        height, width, _ = self.image_shape
        drawn = []
        for y in range(height):
            self._run(self.row)
            for x in range(width):
                pixel = {
                    "column": np.array(x, "int32"),
                    "noise": np.ascontiguousarray(noise[:, y, x]),
                    "given": np.ascontiguousarray(given[:, y, x]),
                }
                for name, value in pixel.items():
                    self.step.binding.bind_cpu_input(name, value)
                levels = self.step.empty("levels")
                self.step.binding.bind_ortvalue_output("levels", levels)
                self._run(self.step)
                # Read when all is drawn: the GPU need not wait for us.
                drawn.append(levels)
        levels = np.stack([x.numpy() for x in drawn], axis=1)
        return levels.reshape(noise.shape)[:count].astype("uint8")

    def _begin(self):
        """First states, and places for all that the graphs put out."""
        graphs = (self.row, self.step)
        for graph in graphs:
            for name in graph.inputs:
                if name in self._fills:
                    array = graph.filled(name, self._fills[name])
                    self._bind_input(name, array)
            for name in graph.outputs:
                state = name.removeprefix("next_")
                if state != name and state not in self._spare:
                    self._spare[state] = graph.empty(name)
                elif name.startswith("row_") and name not in self._states:
                    self._bind_input(name, graph.empty(name))
        self.step.binding.bind_ortvalue_output(
            "logits", self.step.empty("logits")
        )

    def _bind_input(self, name, value):
        self._states[name] = value
        for graph in (self.row, self.step):
            if name in graph.inputs:
                graph.binding.bind_ortvalue_input(name, value)

    def _run(self, graph):
        """Run a graph; what it changes is written to the spare places."""
        changed = []
        for name in graph.outputs:
            state = name.removeprefix("next_")
            if state != name:
                changed.append(state)
                graph.binding.bind_ortvalue_output(name, self._spare[state])
            elif name.startswith("row_"):
                graph.binding.bind_ortvalue_output(name, self._states[name])
        graph.session.run_with_iobinding(graph.binding)
        for state in changed:
            old = self._states.get(state)
            self._bind_input(state, self._spare[state])
            self._spare[state] = old or graph.empty(f"next_{state}")


def _temperatures(temperature, count):
    """One float32 for each image."""
    values = np.asarray(temperature, "float32")
    if values.shape not in ((), (count,)) or not (values >= 0).all():
        raise ValueError(
            "`temperature` must be a number of at least 0, or one for each "
            f"image. Received: temperature={temperature!r}, {count} images. "
            "Use 1 for the model's own probabilities."
        )
    return np.broadcast_to(values, (count,))


def _range_of(values):
    if not values.size:
        return "no values"
    return f"values from {values.min()} to {values.max()}"


class _Graph:
    """A session with its binding and the shapes of what goes in and out."""

    def __init__(self, path, device):
        options = onnxruntime.SessionOptions()
        # The operations of one pixel are too small to be shared by threads.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        provider = {"cpu": "CPU", "cuda": "CUDA"}[device]
        self.device = device
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=[f"{provider}ExecutionProvider"]
        )
        self.binding = self.session.io_binding()
        self.inputs = {x.name: x for x in self.session.get_inputs()}
        self.outputs = {x.name: x for x in self.session.get_outputs()}

    def empty(self, name):
        output = self.outputs[name]
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(
            output.shape, DTYPES[output.type], self.device, 0
        )

    def filled(self, name, fill):
        state = self.inputs[name]
        array = np.full(state.shape, fill, DTYPES[state.type])
        return onnxruntime.OrtValue.ortvalue_from_numpy(array, self.device, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("count", type=int)
    parser.add_argument("output", help="x.npy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--device", choices=("cpu", "cuda"))
    arguments = parser.parse_args()
    sampler = StepSampler(arguments.folder, arguments.device)
    random = np.random.default_rng(arguments.seed)
    shape = (arguments.count, *sampler.image_shape)
    noise = random.random(shape, "float32")
    try:
        images = sampler.sample(noise, arguments.temperature)
    except ValueError as error:
        parser.error(str(error))
    np.save(arguments.output, images)


if __name__ == "__main__":
    main()
