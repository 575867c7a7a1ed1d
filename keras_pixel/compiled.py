"""Functions of a model: compiled once, never stale, safe in threads."""

import collections
import concurrent.futures
import functools
import os
import threading
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Hashable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

# An array or a tensor, or dicts and sequences of them.
Nest = Any
# Compiled functions kept for one model, those used last: each holds a graph
# and what the compiler made of it, often tens of megabytes.
MOST_PROGRAMS = 16
# Rows of a batch that a thread has at least: with fewer, the weights are read
# too often.
LEAST_ROWS = 2
# One function is compiled at a time: while Keras calls a layer, the layer
# takes notes in itself.
_COMPILING = threading.RLock()


def default_jit_compile() -> bool:
    """Whether whole-image passes should be compiled with XLA here.

    Not on TensorFlow without a GPU, where XLA makes them slower.
    """
    if keras.backend.backend() != "tensorflow":
        return True
    return bool(keras.distribution.list_devices("gpu"))


def num_threads() -> int:
    """How many programs of small steps this machine runs best side by side.

    On CPUs, where one of them has too little work in a step to keep more than
    one core busy: as many as there are cores, or as
    `tf.config.threading.set_intra_op_parallelism_threads` allows. On other
    devices one, and on several that share a model, which must all run its
    programs in the same order.
    """
    devices = keras.distribution.list_devices()
    if any("cpu" not in device.lower() for device in devices):
        return 1
    if keras.distribution.distribution() is not None:
        return 1
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        allowed = tf.config.threading.get_intra_op_parallelism_threads()
        if allowed:
            return allowed
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def num_parts(rows: int, threads: int) -> int:
    """Into how many parts a batch is cut, to be computed side by side."""
    return max(1, min(threads, rows // LEAST_ROWS))


def call_model(
    model: Any, images: Any, conditions: Collection[Any] = ()
) -> Any:
    """What a model gives for images, and for conditions if it has any."""
    inputs = [images, *conditions] if len(conditions) else images
    return model(inputs, training=False)


class Compiled:
    """A function of one batch, compiled by the backend.

    Unlike `predict` of a Keras model it builds no data pipeline, and it never
    takes the weights away from the model while it runs: several threads may
    call it at once.

    Args:
        function: from a tensor, or a dict of tensors, with the batch as first
            axis, to a nest of tensors. It works in the dtypes that it is
            given and that it casts to, under any dtype policy.
        model: the Keras model whose weights the function reads, anew in each
            call.
        jit_compile: bool, whether by XLA, or "auto", see
            `default_jit_compile`. Defaults to `"auto"`.
        any_size: bool. Whether the function takes batches whose size is not
            known when it is compiled; then all sizes share one program where
            the compiler can. Defaults to `False`.
        is_fixed: bool. Whether all calls have inputs of the same nest, shapes
            and dtypes, which are then looked at in the first call only: with
            hundreds of small tensors that takes longer than the function.
            Defaults to `False`.
    """

    def __init__(
        self,
        function: Callable[[Nest], Nest],
        model: keras.layers.Layer,
        jit_compile: bool | str = "auto",
        any_size: bool = False,
        is_fixed: bool = False,
    ) -> None:
        if jit_compile == "auto":
            jit_compile = default_jit_compile()
        self.function = function
        self.model = model
        self.jit_compile = bool(jit_compile)
        self.any_size = any_size and takes_any_size(jit_compile)
        self.is_fixed = is_fixed
        self._run: Callable[[Nest], Nest] | None = None
        self._seen: set[Hashable] = set()

    def __call__(self, inputs: Nest) -> Nest:
        """Outputs for one batch of arrays, as a nest of NumPy arrays."""
        outputs = self.tensors(inputs)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)

    def tensors(self, inputs: Nest) -> Nest:
        """Outputs as tensors of the backend, which another call may take."""
        if self.is_fixed and self._run is not None:
            return self._run(inputs)
        signature = tuple(
            (tuple(x.shape[self.any_size :]), str(x.dtype))
            for x in keras.tree.flatten(inputs)
        )
        if self._run is not None and signature in self._seen:
            outputs = self._run(inputs)
        else:
            with _COMPILING:
                if self._run is None:
                    self._run = self._build(inputs)
                outputs = self._run(inputs)
            self._seen.add(signature)
        return outputs

    def _build(self, inputs: Nest) -> Callable[[Nest], Nest]:
        if keras.backend.backend() == "tensorflow":
            if self.is_fixed and not self.jit_compile:
                return self._build_fixed_for_tensorflow(inputs)
            return self._build_for_tensorflow(inputs)
        if keras.backend.backend() == "jax" and self.jit_compile:
            return self._build_for_jax()
        return lambda inputs: self.function(_to_tensors(inputs))

    def _build_for_tensorflow(self, inputs: Nest) -> Callable[[Nest], Nest]:
        import tensorflow as tf

        signature = None
        if self.any_size:
            signature = keras.tree.map_structure(
                lambda x: tf.TensorSpec((None, *x.shape[1:]), str(x.dtype)),
                inputs,
            )
        run = tf.function(
            # Not a lambda: TensorFlow would take all of them for one function
            # that is compiled again and again, and warn.
            functools.partial(self.function),
            input_signature=signature and [signature],
            jit_compile=self.jit_compile or None,
            autograph=False,
        )
        return lambda inputs: run(_to_tensors(inputs))

    def _build_fixed_for_tensorflow(
        self, inputs: Nest
    ) -> Callable[[Nest], Nest]:
        import tensorflow as tf

        flat = [tf.convert_to_tensor(x) for x in keras.tree.flatten(inputs)]
        # What they hold does not matter, and would be kept.
        nests = {"inputs": keras.tree.map_structure(lambda x: 0, inputs)}

        def function(*flat: Any) -> list[Any]:
            outputs = self.function(
                keras.tree.pack_sequence_as(nests["inputs"], list(flat))
            )
            nests["outputs"] = keras.tree.map_structure(lambda x: 0, outputs)
            return keras.tree.flatten(outputs)

        program = tf.function(function, autograph=False)
        program = program.get_concrete_function(
            *(tf.TensorSpec(x.shape, x.dtype) for x in flat)
        )
        dtypes = [x.dtype for x in program.outputs]

        def run(inputs: Nest) -> Nest:
            # Called as an operation: a function would ask of each tensor
            # what it is.
            outputs = tf.raw_ops.StatefulPartitionedCall(
                args=[*keras.tree.flatten(inputs), *program.captured_inputs],
                Tout=dtypes,
                f=program,
            )
            return keras.tree.pack_sequence_as(nests["outputs"], outputs)

        return run

    def _build_for_jax(self) -> Callable[[Nest], Nest]:
        import jax

        model, variables = self.model, self.model.variables

        @jax.jit
        def run(values: list[Any], inputs: Nest) -> Nest:
            mapping = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return self.function(inputs)

        def with_weights(inputs: Nest) -> Nest:
            if isinstance(model, keras.Model):
                # In a callback of `fit` the weights are in its own hands.
                model.jax_state_sync()
            return run([variable.value for variable in variables], inputs)

        return with_weights


def takes_any_size(jit_compile: bool | str) -> bool:
    """Whether a program serves batches of all sizes: XLA's does not."""
    return keras.backend.backend() == "tensorflow" and not jit_compile


def _to_tensors(inputs: Nest) -> Nest:
    return keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)


class Programs:
    """The compiled functions of one model: few, and none of them stale.

    When the model is not what it was, all are dropped: when it has other
    variables (as after `enable_lora` or `quantize`), or a layer another dtype
    policy or another attribute (such as `activation`).

    Args:
        model: Keras model.
        most: int. Programs that are kept, those used last. Defaults to `16`.
    """

    def __init__(
        self, model: keras.layers.Layer, most: int = MOST_PROGRAMS
    ) -> None:
        self.model = model
        self.most = most
        self._lock = threading.Lock()
        self._state: list[Any] = []
        self._programs: collections.OrderedDict[Hashable, Any] = (
            collections.OrderedDict()
        )

    def __len__(self) -> int:
        return len(self._programs)

    def clear(self) -> None:
        """Drop all programs."""
        with self._lock:
            self._programs.clear()

    def run(
        self,
        key: Hashable,
        make_function: Callable[[], Callable[[Nest], Nest]],
        inputs: Nest,
        batch_size: int,
        jit_compile: bool | str = "auto",
        any_size: bool = False,
        sizes: Sequence[int] | None = None,
        threads: int = 1,
    ) -> Iterator[Nest]:
        """Run a function over arrays, batch by batch.

        Where a program is compiled for one size of batch, batches are padded
        up to one of a few sizes.

        Args:
            key: hashable; the program is kept by it.
            make_function: function without arguments that makes the function
                of a batch, see `Compiled`.
            inputs: array, or dict of arrays, the batch as first axis.
            batch_size: int. The largest batch.
            jit_compile, any_size: see `Compiled`.
            sizes: ints, ascending: a batch is padded up to one of them, or to
                `batch_size` if that is less. Defaults to `None`, the powers
                of two.
            threads: int. A batch is computed in up to so many parts, side by
                side. Defaults to `1`.

        Returns:
            Iterator of the outputs, batch after batch: nests of NumPy arrays.
        """
        if jit_compile == "auto":
            jit_compile = default_jit_compile()
        is_free = any_size and takes_any_size(jit_compile)
        count = len(keras.tree.flatten(inputs)[0])
        for start in range(0, count, batch_size):
            number = min(batch_size, count - start)
            size = number
            if not is_free:
                size = padded_size(number, batch_size, sizes)
            part = keras.tree.map_structure(
                lambda x, start=start, number=number: x[start : start + number],
                inputs,
            )
            parts = num_parts(size, threads)
            rows = -(-size // parts)
            part = pad(part, parts * rows)
            program = self.get(
                (key, jit_compile, None if is_free else rows),
                lambda: Compiled(
                    make_function(), self.model, jit_compile, any_size
                ),
            )
            outputs = _side_by_side(program, part, parts)
            yield keras.tree.map_structure(
                lambda x, number=number: x[:number], outputs
            )

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The program kept by a key, made if it is not there or stale.

        Args:
            key: hashable.
            make: function without arguments that makes the program.
        """
        state = _state_of(self.model)
        with self._lock:
            if len(state) != len(self._state) or any(
                new is not old
                for new, old in zip(state, self._state, strict=True)
            ):
                self._programs.clear()
                self._state = state
            if key not in self._programs:
                self._programs[key] = make()
            self._programs.move_to_end(key)
            while len(self._programs) > self.most:
                self._programs.popitem(last=False)
            return self._programs[key]


def _side_by_side(
    program: Callable[[Nest], Nest], inputs: Nest, parts: int
) -> Nest:
    """Outputs of a batch, computed in equal parts by as many threads."""
    if parts == 1:
        return program(inputs)
    rows = len(keras.tree.flatten(inputs)[0]) // parts

    def run(start: int) -> Nest:
        return program(
            keras.tree.map_structure(lambda x: x[start : start + rows], inputs)
        )

    with concurrent.futures.ThreadPoolExecutor(parts) as pool:
        outputs = list(pool.map(run, range(0, parts * rows, rows)))
    return keras.tree.map_structure(lambda *x: np.concatenate(x), *outputs)


def padded_size(
    number: int, batch_size: int, sizes: Sequence[int] | None = None
) -> int:
    """The size that a batch is padded up to.

    Args:
        number: int. Rows of the batch.
        batch_size: int. The largest batch.
        sizes: see `Programs.run`. Defaults to `None`.
    """
    if sizes is None:
        size = 1 << (number - 1).bit_length()
    else:
        # Beyond the largest, a multiple of it.
        many = -(-number // sizes[-1]) * sizes[-1]
        size = next((n for n in sizes if n >= number), many)
    return min(size, batch_size)


def pad(arrays: Nest, size: int) -> Nest:
    """A nest of arrays, each with copies of its first row up to `size`."""

    def pad_one(rows: np.ndarray) -> np.ndarray:
        if len(rows) == size:
            return rows
        copies = np.repeat(rows[:1], size - len(rows), axis=0)
        return np.concatenate([rows, copies])

    return keras.tree.map_structure(pad_one, arrays)


def _state_of(model: keras.layers.Layer) -> list[Any]:
    """What a compiled function of a model holds fast, compared by identity.

    The objects themselves, and not their `id`, which is given anew.
    """
    state = [*model.variables, keras.config.floatx()]
    seen, waiting = set(), [model]
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        state += [layer, layer.dtype_policy]
        values = [v for k, v in vars(layer).items() if not k.startswith("_")]
        if isinstance(layer, keras.Model):
            # Its own attributes are those of training.
            waiting += layer.layers
        else:
            state += values
        for value in values:
            items = value if isinstance(value, (list, tuple)) else [value]
            waiting += [x for x in items if isinstance(x, keras.layers.Layer)]
    return state
