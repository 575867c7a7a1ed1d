"""Samples from `step.onnx` (and `row.onnx`) with ONNX Runtime.

    python runner.py FOLDER 16 samples.npy --seed 0

Needs numpy and onnxruntime (or onnxruntime-gpu), nothing else. The states stay
where the graphs run: on a GPU if ONNX Runtime has CUDA. Only noise and levels,
a few bytes a pixel, are moved.

Each state has two places. A graph reads one and writes the other: it may read a
state's old values after it has begun to write the new ones, and a call that is
run twice, as when it is captured, must give the same. All addresses are known
before the first call, and calls alternate between few bindings that are made
once. On a GPU each binding is captured as a CUDA graph, where ONNX Runtime can:
then a call is one launch. That was never run on a GPU, see README.md.
"""

import argparse
import json
import pathlib
import warnings

import numpy as np
import onnxruntime

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


class StepSampler:
    """Draws images step by step, the states bound to the graphs.

    Args:
        folder: folder that `keras_pixel.export.onnx` wrote.
        device: "cpu", "cuda", or `None` for CUDA where it is.
        cuda_graph: bool. Whether calls are captured as CUDA graphs. A graph
            that ONNX Runtime refuses to capture is run operation by
            operation, and a warning says so. Defaults to `True`; without
            meaning on a CPU.
    """

    def __init__(self, folder, device=None, cuda_graph=True):
        folder = pathlib.Path(folder)
        if device is None:
            available = onnxruntime.get_available_providers()
            has_cuda = "CUDAExecutionProvider" in available
            device = "cuda" if has_cuda else "cpu"
        self.device = device
        self.step = _Graph(folder / "step.onnx", device, cuda_graph)
        # At a temperature of 1 a mixture has a way that is far cheaper.
        self.step_temperature_1 = self.row = None
        for name in ("step_temperature_1", "row"):
            path = folder / f"{name}.onnx"
            if path.exists():
                setattr(self, name, _Graph(path, device, cuda_graph))
        metadata = self.step.session.get_modelmeta().custom_metadata_map
        metadata = {key: json.loads(x) for key, x in metadata.items()}
        self.image_shape = tuple(metadata["image_shape"])
        self.num_levels = metadata["num_levels"]
        self.batch_size = metadata["batch_size"]
        self.num_calls = metadata["num_calls"]
        self.steps_per_call = metadata["steps_per_call"]
        # Only models that are told labels or another condition have these.
        self.num_classes = metadata.get("num_classes")
        self.no_label = metadata.get("no_label")
        # In which the pixels are drawn; the graphs know the first one only.
        self.orders = metadata.get("orders", ["right_down"])
        self._places = _places(
            self.image_shape,
            metadata["lag"],
            metadata["lanes"],
            self.num_calls * self.steps_per_call,
        )
        self._fills = metadata["first_states"]
        self._allocate()

    def sample(
        self,
        noise,
        temperature=1.0,
        images=None,
        known=None,
        labels=None,
        condition=None,
        order=0,
    ):
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
            labels: class id, or one for each image, for a model of labels.
                `None` for no label, where the model knows that.
            condition: array, one context for all images or one for each, for
                a model that takes any.
            order: index in `orders` of the order in which an image is drawn,
                or one for each. Defaults to `0`, the first.

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
        order = self._order(count, order)
        told = self._told(count, labels, condition)
        if "order" in self._inputs:
            told["order"] = order
        batches = [np.zeros((0, *self.image_shape), "uint8")]
        for start in range(0, count, self.batch_size):
            part = slice(start, start + self.batch_size)
            batches.append(
                self._turn(
                    self._draw(
                        self._turn(noise[part], order[part]),
                        temperature[part],
                        self._turn(given[part], order[part]),
                        {name: x[part] for name, x in told.items()},
                    ),
                    order[part],
                    back=True,
                )
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

    def _told(self, count, labels, condition):
        """What the graphs take beside the images, by name."""
        if labels is None:
            labels = self.no_label
        told = {"labels": labels, "condition": condition}
        for name, value in told.items():
            if (value is not None) != (name in self._inputs):
                takes = sorted({"labels", "condition"} & set(self._inputs))
                raise ValueError(
                    f"`{name}` must be given if the model takes it, and only "
                    f"then. Received: {name}={value!r}, a model that takes "
                    f"{takes or 'images only'}. Give what it takes."
                )
        told = {
            name: np.asarray(x) for name, x in told.items() if x is not None
        }
        if "labels" in told:
            self._check_labels(told["labels"])
        for name, value in told.items():
            _, *shape = self.step.inputs[name].shape
            if value.shape not in (tuple(shape), (count, *shape)):
                raise ValueError(
                    f"`{name}` must be one for all images, of the shape "
                    f"{tuple(shape)}, or one for each of the {count}. "
                    f"Received: {name}.shape={value.shape}. Reshape it."
                )
            value = value.astype(DTYPES[self.step.inputs[name].type])
            told[name] = np.broadcast_to(value, (count, *shape))
        return told

    def _order(self, count, order):
        """Index of each image's order."""
        order = np.asarray(order)
        whole = np.issubdtype(order.dtype, np.integer)
        if (
            not whole
            or order.shape not in ((), (count,))
            or not ((order >= 0) & (order < len(self.orders))).all()
        ):
            raise ValueError(
                f"`order` must be an index of {self.orders}, or one for each "
                f"of the {count} images. Received: order={order!r}. Leave it "
                "out for the first."
            )
        return np.broadcast_to(order.astype("int32"), (count,))

    def _turn(self, values, order, back=False):
        """Images `(n, height, width, …)` as the graphs go through them."""
        turned = []
        for value, index in zip(values, order, strict=True):
            directions = self.orders[index].split("_")
            transposed = directions[0] in ("down", "up")
            if transposed and back:
                value = np.swapaxes(value, 0, 1)
            if "up" in directions:
                value = np.flip(value, 0)
            if "left" in directions:
                value = np.flip(value, 1)
            if transposed and not back:
                value = np.swapaxes(value, 0, 1)
            turned.append(value)
        return np.stack(turned)

    def _check_labels(self, labels):
        highest = self.num_classes - (self.no_label is None)
        whole = np.issubdtype(labels.dtype, np.integer)
        if not whole or not ((labels >= 0) & (labels <= highest)).all():
            raise ValueError(
                f"`labels` must be class ids from 0 to {self.num_classes - 1}"
                + ("" if self.no_label is None else f", or {highest} for none")
                + f". Received: labels.dtype={labels.dtype}, "
                f"{_range_of(labels)}. Use one of these."
            )

    def _draw(self, noise, temperature, given, told):
        count = len(noise)

        # Graphs of fixed shapes: a smaller batch is filled up.
        def fill_up(x):
            rest = np.repeat(x[:1], self.batch_size - count, 0)
            return np.concatenate([x, rest])

        noise = self._by_call(fill_up(noise))
        given = self._by_call(fill_up(given))
        for name, places in self._states.items():
            self._fill(places[0], self._fills[name])
        for name, value in {"temperature": temperature, **told}.items():
            self._put(name, fill_up(value))
        self._stepping = "step"
        if self.step_temperature_1 is not None and (temperature == 1).all():
            self._stepping = "step_temperature_1"
        self._runs = {"step": 0, "row": 0}
        drawn = np.zeros(given.shape, "uint8")
        for call in range(self.num_calls):
            self._advance(call, noise[call], given[call])
            drawn[call] = self._read_levels()
        # (num_steps, lanes, batch, channels)
        drawn = drawn.reshape(-1, *drawn.shape[2:])
        row, column, is_pixel = self._places
        images = np.zeros((self.batch_size, *self.image_shape), "uint8")
        images[:, row[is_pixel], column[is_pixel]] = np.moveaxis(
            drawn[is_pixel], 1, 0
        )
        return images[:count]

    def _by_call(self, values):
        """Values `(batch, height, width, channels)` as the calls take them.

        Returns:
            Array `(num_calls, steps_per_call, lanes, batch, channels)`.
        """
        row, column, _ = self._places  # (num_steps, lanes)
        values = np.moveaxis(values[:, row, column], 0, 2)
        shape = (self.num_calls, self.steps_per_call, *values.shape[1:])
        return np.ascontiguousarray(values).reshape(shape)

    def _advance(self, call, noise, given):
        """One call, and the row's before it: moves no buffer, makes none."""
        self._put("noise", noise)
        self._put("given", given)
        self._put("call", self._numbers[call])
        if self.row is not None and call % self.image_shape[1] == 0:
            if "row" in self._inputs:
                self._put("row", self._numbers[self._runs["row"]])
            self._run("row", "row")
        self._run("step", self._stepping)

    def _read_levels(self):
        """Levels of the last call, in an array that the next one changes."""
        if self.device == "cpu":
            return self._drawn  # The graph wrote there.
        if hasattr(onnxruntime, "copy_tensors"):  # from version 1.23 on
            onnxruntime.copy_tensors([self._levels], [self._levels_on_host])
        else:
            np.copyto(self._drawn, self._levels.numpy())
        return self._drawn

    @staticmethod
    def _fill(place, number):
        dtype = DTYPES[place.data_type()]
        place.update_inplace(np.full(place.shape(), number, dtype))

    def _put(self, name, value):
        self._inputs[name].update_inplace(value)

    def _allocate(self):
        """Places for all that goes in and out of the graphs."""
        graphs = {"step": self.step, "row": self.row}
        graphs = {name: x for name, x in graphs.items() if x is not None}
        self._changes = {
            name: {
                x.removeprefix("next_")
                for x in graph.outputs
                if x.startswith("next_")
            }
            for name, graph in graphs.items()
        }
        self._states, self._inputs, self._rows = {}, {}, {}
        for graph in graphs.values():
            for name in graph.inputs:
                if name in self._fills and name not in self._states:
                    self._states[name] = [graph.zeros(name), graph.zeros(name)]
                elif name.startswith("row_"):
                    self._rows[name] = graph.zeros(name)
                elif name not in self._fills:
                    self._inputs[name] = graph.zeros(name)
        self._levels = self.step.zeros("levels")
        self._drawn = np.zeros(self._levels.shape(), "int32")
        self._levels_on_host = onnxruntime.OrtValue.ortvalue_from_numpy(
            self._drawn
        )
        if self.device == "cpu":
            self._levels = self._levels_on_host
        # Numbers of calls and rows, each as a scalar.
        self._numbers = [
            np.array(number, "int32") for number in range(self.num_calls)
        ]
        self._logits = self.step.zeros("logits")
        self._bindings = {}

    def _run(self, kind, name):
        """Run a graph; what it changes is written to the other places."""
        graph = getattr(self, name)
        parities = self._runs["step"] % 2, self._runs["row"] % 2
        if (name, parities) not in self._bindings:
            options = onnxruntime.RunOptions()
            # What is captured holds addresses: one CUDA graph for each
            # binding. 0 is ONNX Runtime's own.
            number = 1 + 2 * parities[0] + parities[1]
            options.add_run_config_entry("gpu_graph_id", str(number))
            self._bindings[name, parities] = self._bind(graph), options
        graph.session.run_with_iobinding(*self._bindings[name, parities])
        self._runs[kind] += 1

    def _bind(self, graph):
        binding = graph.session.io_binding()

        def place(state):
            changes = sum(
                self._runs[x]
                for x, changed in self._changes.items()
                if state in changed
            )
            return changes % 2

        fixed = {**self._inputs, **self._rows, "levels": self._levels}
        fixed["logits"] = self._logits
        for state in graph.inputs:
            value = fixed.get(state)
            if value is None:
                value = self._states[state][place(state)]
            binding.bind_ortvalue_input(state, value)
        for output in graph.outputs:
            value = fixed.get(output)
            if value is None:
                state = output.removeprefix("next_")
                value = self._states[state][1 - place(state)]
            binding.bind_ortvalue_output(output, value)
        return binding


def _places(image_shape, lag, lanes, num_steps):
    """Row and column of every step in every lane, and whether it is a pixel.

    Pixel `(row, column)` has its turn at step `column + lag * row`, in lane
    `row % lanes`.
    """
    height, width, _ = image_shape
    step, lane = np.arange(num_steps)[:, None], np.arange(lanes)
    turn = (step - lag * lane) // (lag * lanes)
    row = lane + lanes * turn
    column = step - lag * row
    is_pixel = (row >= 0) & (row < height) & (column < width)
    return np.clip(row, 0, height - 1), np.clip(column, 0, width - 1), is_pixel


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

    def __init__(self, path, device, cuda_graph):
        self.device = device
        # Is a call one launch?
        self.is_captured = device == "cuda" and cuda_graph
        if self.is_captured:
            try:
                self.session = _session(
                    path, device, {"enable_cuda_graph": "1"}
                )
            except Exception as error:
                # Each reason has its own class, of which few are public.
                self.is_captured = False
                warnings.warn(
                    f"{path.name} is not captured as a CUDA graph: "
                    f"{str(error)[:300]}",
                    stacklevel=3,
                )
        if not self.is_captured:
            self.session = _session(path, device, {})
        self.inputs = {x.name: x for x in self.session.get_inputs()}
        self.outputs = {x.name: x for x in self.session.get_outputs()}

    def zeros(self, name):
        value = self.inputs.get(name) or self.outputs[name]
        array = np.zeros(value.shape, DTYPES[value.type])
        return onnxruntime.OrtValue.ortvalue_from_numpy(array, self.device, 0)


def _session(path, device, provider_options):
    options = onnxruntime.SessionOptions()
    # The operations of one pixel are too small to be shared by threads.
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    provider = {"cpu": "CPU", "cuda": "CUDA"}[device] + "ExecutionProvider"
    return onnxruntime.InferenceSession(
        str(path),
        options,
        providers=[(provider, provider_options)],
        # On another device the bindings would be wrong.
        enable_fallback=0,
    )


def _natural(text):
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(
            f"must be at least 0, received {number}"
        )
    return number


# What argparse calls it where it is no number.
_natural.__name__ = "int"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("count", type=_natural)
    parser.add_argument("output", help="x.npy")
    parser.add_argument("--seed", type=_natural, default=0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--device", choices=("cpu", "cuda"))
    parser.add_argument(
        "--no-cuda-graph",
        action="store_true",
        help="run operation by operation on a GPU",
    )
    parser.add_argument(
        "--label", type=int, help="class id, for a model of labels"
    )
    parser.add_argument(
        "--order", type=int, default=0, help="index of the order of drawing"
    )
    arguments = parser.parse_args()
    sampler = StepSampler(
        arguments.folder, arguments.device, not arguments.no_cuda_graph
    )
    random = np.random.default_rng(arguments.seed)
    shape = (arguments.count, *sampler.image_shape)
    noise = random.random(shape, "float32")
    try:
        images = sampler.sample(
            noise,
            arguments.temperature,
            labels=arguments.label,
            order=arguments.order,
        )
    except ValueError as error:
        parser.error(str(error))
    np.save(arguments.output, images)


if __name__ == "__main__":
    main()
