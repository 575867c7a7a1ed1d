"""Functions that Keras compiles for the backend at hand."""

import keras


def compiled(function, model, jit_compile="auto"):
    """A function of batches, compiled by Keras.

    Args:
        function: from a tensor, or a dict of tensors, with the batch as first
            axis, to a nest of tensors. It works in the dtypes that it is
            given and that it casts to, under any dtype policy.
        model: the Keras model whose weights the function reads.
        jit_compile: as in `keras.Model.compile`.

    Returns:
        A model with Keras' `predict` and `predict_on_batch`.
    """
    runner = Compiled(function, model)
    runner.compile(jit_compile=jit_compile)
    return runner


class Compiled(keras.Model):
    """A model only so that Keras compiles what it calls."""

    def __init__(self, function, model):
        super().__init__(name="compiled")
        # Noise cast to bfloat16 could be 1, and above every level.
        self.autocast = False
        # Its weights are read anew in each call.
        self.model = model
        self.function = function

    def call(self, inputs):
        return self.function(inputs)
