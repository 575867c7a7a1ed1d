"""Low-rank adaptation: kernels that stay, and small products that are trained.

Hu et al., 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section
4.1, https://arxiv.org/abs/2106.09685. A kernel `(…, in, out)` is used as
`kernel + lora_alpha / rank * a @ b`, with `a` `(…, in, rank)` and `b` `(rank,
out)`, as in the layers of Keras. Masks and lengths come after it, so a layer
sees no more than before.
"""

import math
from typing import Any

import keras
from keras import ops

from keras_pixel.checks import check_number
from keras_pixel.checks import check_size


class LoraKernel:
    """Attribute of a `LoraLayer`: a kernel as it is used.

    `build` sets it to a weight, and reads that weight back; with LoRA it is
    the sum, a tensor, in the dtype that the weight would have.
    """

    def __set_name__(self, owner, name):
        self.name = name
        self.base = f"_{name}"

    def __set__(self, layer, weight):
        vars(layer)[self.base] = weight

    def __get__(self, layer, owner=None):
        if layer is None:
            return self
        if self.base not in vars(layer):
            raise AttributeError(
                f"`{self.name}` must be made by `build` before it is read. "
                f"Received: {type(layer).__name__} (name={layer.name!r}), not "
                "built. Call the layer on a batch first."
            )
        return layer.with_lora(self.name, vars(layer)[self.base])


class LoraLayer(keras.layers.Layer):
    """Base of the layers whose kernels take LoRA.

    A subclass declares its kernels, `kernel = LoraKernel()`, and makes them in
    `build`. Saved are the sums, so that the weights of a layer with LoRA are
    those of one without.

    Attributes:
        lora_enabled: bool. Whether `enable_lora` has been called.
        lora_rank: int, or `None` without LoRA.
        lora_alpha: number, or `None` without LoRA.
    """

    lora_enabled = False
    lora_rank: Any = None
    lora_alpha: Any = None

    def enable_lora(
        self,
        rank,
        lora_alpha=None,
        a_initializer="he_uniform",
        b_initializer="zeros",
    ):
        """Keep the kernels as they are, and train low-rank products with them.

        For all kernels of the layer and of the layers inside it. Biases and
        the like are trained as before. As with the layers of Keras, a model
        is compiled after it; what is saved has no LoRA when it is loaded.

        Args:
            rank: int. The rank of the products.
            lora_alpha: number; a product counts `lora_alpha / rank` times.
                Defaults to `None`: as `rank`.
            a_initializer: Initializer of the first factor. Defaults to
                `"he_uniform"`.
            b_initializer: Initializer of the second one. Defaults to
                `"zeros"`: at first the layer computes what it did.

        Raises:
            ValueError: if `rank` or `lora_alpha` is not positive, or the layer
                is not built, or has LoRA.
        """
        rank = check_size("rank", rank)
        if lora_alpha is None:
            lora_alpha = rank
        lora_alpha = check_number("lora_alpha", lora_alpha, above=0)
        received = f"Received: {type(self).__name__} (name={self.name!r})"
        if not self.built:
            raise ValueError(
                f"LoRA needs a layer that is built. {received}, not built. "
                "Call the layer on a batch first."
            )
        if self.lora_enabled:
            raise ValueError(
                "LoRA can be enabled only once in a layer. "
                f"{received} with lora_rank={self.lora_rank}. Load the model "
                "anew for another rank."
            )
        self._tracker.unlock()
        for name, kernel in self.lora_kernels().items():
            shapes = {"a": (*kernel.shape[:-1], rank)}
            shapes["b"] = rank, kernel.shape[-1]
            initializers = {"a": a_initializer, "b": b_initializer}
            for factor, shape in shapes.items():
                weight = self.add_weight(
                    name=f"lora_{name}_{factor}",
                    shape=shape,
                    initializer=keras.initializers.get(initializers[factor]),
                    # Small changes need more digits than bfloat16 has.
                    dtype="float32",
                    autocast=False,
                )
                setattr(self, weight.name, weight)
            kernel.trainable = False
        self._tracker.lock()
        self.lora_enabled = True
        self.lora_rank = rank
        self.lora_alpha = lora_alpha
        for layer in self._flatten_layers(include_self=False, recursive=False):
            enable_lora(layer, rank, lora_alpha)

    def lora_kernels(self):
        """The kernels as they are without LoRA.

        Returns:
            Dict from the attribute's name to the weight, of a built layer.
        """
        declared = [
            attribute
            for base in reversed(type(self).__mro__)
            for attribute in vars(base).values()
            if isinstance(attribute, LoraKernel)
        ]
        return {x.name: vars(self)[x.base] for x in declared}

    def with_lora(self, name, kernel):
        """A kernel, and the product that belongs to it if there is one.

        Args:
            name: str. The kernel's attribute.
            kernel: its weight.

        Returns:
            The weight, or a tensor of its shape.
        """
        if not self.lora_enabled:
            return kernel
        a, b = (getattr(self, f"lora_{name}_{factor}") for factor in "ab")
        change = ops.matmul(a, b) * (self.lora_alpha / self.lora_rank)
        return kernel + ops.cast(change, kernel.dtype)

    def save_own_variables(self, store):
        if not self.lora_enabled:
            super().save_own_variables(store)
            return
        kernels = {id(v): k for k, v in self.lora_kernels().items()}
        for index, variable in enumerate(self._own_variables()):
            name = kernels.get(id(variable))
            store[str(index)] = (
                variable if name is None else getattr(self, name)
            )

    def load_own_variables(self, store):
        if not self.lora_enabled:
            super().load_own_variables(store)
            return
        variables = self._own_variables()
        if len(store.keys()) != len(variables):
            raise ValueError(
                "The weights must be those of the layer without LoRA. "
                f"Received: {len(store.keys())} weights for {self.name!r}, "
                f"which has {len(variables)}. Load the weights of the same "
                "layer."
            )
        for index, variable in enumerate(variables):
            variable.assign(store[str(index)])
        # The sums were saved. Were the first factor zero too, as in Keras,
        # no product would be trained any more.
        for name in self.lora_kernels():
            b = getattr(self, f"lora_{name}_b")
            b.assign(ops.zeros_like(b))

    def _own_variables(self):
        """Those that the layer has without LoRA, in the order they are saved.

        Returns:
            List of variables.
        """
        variables = [*self._trainable_variables, *self._non_trainable_variables]
        return [x for x in variables if not _is_factor(x)]


def _is_factor(weight):
    # Of Keras' own layers too.
    return weight.name.startswith("lora_")


def enable_lora(layer, rank, lora_alpha=None):
    """Enable LoRA in a layer, or in all layers inside it that have it.

    Args:
        layer: Keras layer or model, of the package or of Keras. Where LoRA is
            enabled already, it is left as it is.
        rank: int. The rank of the products.
        lora_alpha: as in `LoraLayer.enable_lora`.
    """
    if hasattr(layer, "enable_lora"):
        if not layer.lora_enabled:
            layer.enable_lora(rank, lora_alpha=lora_alpha)
        return
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        enable_lora(inner, rank, lora_alpha)


def lora_cost(layer, rank):
    """What LoRA would train in a layer and those inside it.

    Args:
        layer: built Keras layer, without LoRA.
        rank: int. The rank of the products.

    Returns:
        Two ints: how many numbers there are in the kernels that have LoRA, and
        how many there would be in the products' factors.
    """
    shapes = []
    for inner in layer._flatten_layers():
        if isinstance(inner, LoraLayer):
            shapes += [x.shape for x in inner.lora_kernels().values()]
        elif hasattr(inner, "enable_lora"):  # one of Keras, with one kernel
            sizes = [math.prod(x.shape) for x in inner.weights]
            shapes.append(inner.weights[sizes.index(max(sizes))].shape)
    return (
        sum(math.prod(shape) for shape in shapes),
        sum(rank * (math.prod(x[:-1]) + x[-1]) for x in shapes),
    )


def num_parameters(model):
    """How many numbers a model's weights hold, without those of LoRA.

    Args:
        model: built Keras model.

    Returns:
        int, that of the model when it is saved and loaded again.
    """
    added = [
        math.prod(weight.shape)
        for layer in model._flatten_layers()
        if getattr(layer, "lora_enabled", False)
        for weight in layer._trainable_variables
        if _is_factor(weight)
    ]
    return model.count_params() - sum(added)
