"""A model that doubles numbers, when it is told to go on; and its server."""

import time

import tensorflow as tf


class Doubler(tf.Module):
    """Doubles; waits while the event is cleared."""

    def __init__(self, go_on):
        super().__init__()
        self.go_on = go_on
        self.num_begun = 0

    def wait(self, values):
        self.num_begun += 1
        self.go_on.wait(60)
        return 2 * values

    @tf.function(input_signature=[tf.TensorSpec((None,), "int32", "values")])
    def double(self, values):
        doubled = tf.py_function(self.wait, [values], "int32")
        return {"doubled": tf.ensure_shape(doubled, (None,))}

    @tf.function(input_signature=[tf.TensorSpec((None,), "int32", "values")])
    def count(self, values):
        """Counts to the first value, one step at a time."""
        number = tf.while_loop(
            lambda i: i < values[0], lambda i: (i + 1,), (tf.constant(0),)
        )[0]
        return {"doubled": tf.zeros_like(values) + 2 * number}

    @tf.function(input_signature=[tf.TensorSpec((None,), "int32", "values")])
    def double_at_once(self, values):
        return {"doubled": 2 * values}


def serve(folder, **options):
    """A development server on free ports, that looks often."""
    from keras_pixel.serving import DevelopmentServer

    options = {"poll_seconds": 0.05, **options}
    return DevelopmentServer(folder, rest_port=0, grpc_port=0, **options)


def double(server, values, version=None, signature=""):
    """Status and JSON of a predict request."""
    import requests

    path = "doubler" if version is None else f"doubler/versions/{version}"
    response = requests.post(
        f"http://127.0.0.1:{server.rest_port}/v1/models/{path}:predict",
        json={"inputs": values, "signature_name": signature},
        timeout=60,
    )
    return response.status_code, response.json()


def states(server):
    """State of every version by its number."""
    import requests

    response = requests.get(
        f"http://127.0.0.1:{server.rest_port}/v1/models/doubler", timeout=60
    )
    return {
        int(found["version"]): found
        for found in response.json()["model_version_status"]
    }


def state(server, version):
    return states(server).get(version, {}).get("state")


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
