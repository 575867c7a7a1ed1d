"""What TF-Serving does with a model, done by TensorFlow's sessions."""

import numpy as np
import tensorflow as tf


class ServingSession:
    """Runs predict requests as TF-Serving's `RunPredict` does.

    Args:
        folder: a version's folder.
    """

    def __init__(self, folder):
        tf1 = tf.compat.v1
        self.session = tf1.Session(graph=tf1.Graph())
        with self.session.graph.as_default():
            meta_graph = tf1.saved_model.load(
                self.session, ["serve"], str(folder)
            )
        self.signature_defs = meta_graph.signature_def

    def run(self, request):
        """Outputs of a PredictRequest by name."""
        signature = self._signature(request)
        inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        assert set(inputs) == set(signature.inputs)
        assert signature.method_name == "tensorflow/serving/predict"
        for name, info in signature.inputs.items():
            assert request.inputs[name].dtype == info.dtype
        return self._run(signature, inputs)

    def run_batched(self, requests, allowed_batch_sizes):
        """Outputs of each request, computed together.

        As TF-Serving's `BatchingSession` does: concatenated, padded by the
        first row of the last request up to an allowed size, and split.
        """
        signature = self._signature(requests[0])
        tasks = [
            {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
            for request in requests
        ]
        sizes = [_rows(task) for task in tasks]
        padding = min(n for n in allowed_batch_sizes if n >= sum(sizes))
        padding -= sum(sizes)
        last = tasks[-1]
        padded = [*tasks, *[{k: v[:1] for k, v in last.items()}] * padding]
        inputs = {
            name: np.concatenate([task[name] for task in padded])
            for name in last
        }
        outputs = self._run(signature, inputs)
        ends = np.cumsum(sizes)
        return [
            {name: value[end - size : end] for name, value in outputs.items()}
            for size, end in zip(sizes, ends, strict=True)
        ]

    def _signature(self, request):
        return self.signature_defs[request.model_spec.signature_name]

    def _run(self, signature, inputs):
        feed = {signature.inputs[k].name: v for k, v in inputs.items()}
        fetch = {k: v.name for k, v in signature.outputs.items()}
        outputs = self.session.run(fetch, feed)
        # The batch must be the 0-th dimension, or nothing can be split.
        assert all(len(v) == _rows(inputs) for v in outputs.values())
        return outputs


def predict_request(signature_name, **inputs):
    """PredictRequest for the model called tiny."""
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "tiny"
    request.model_spec.signature_name = signature_name
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def _rows(inputs):
    (rows,) = {len(value) for value in inputs.values()}
    return rows
