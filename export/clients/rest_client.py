"""Score, sample and complete over REST, with requests alone.

python rest_client.py score pictures/ --model pixelcnn_cifar10
"""

import itertools

import pictures
import requests


class RestClient:
    """A model of TF-Serving's REST interface.

    What the model is told beside the images is given by name, such as
    `labels=[3, 7]`.

    Args:
        server: such as "http://127.0.0.1:8501".
        model: the model's name.
        version: int, or `None` for the latest one.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, server, model, version=None, timeout=600):
        self.address = f"{server}/v1/models/{model}"
        if version is not None:
            self.address += f"/versions/{version}"
        self.timeout = timeout
        self.session = requests.Session()
        answer = self._answer("get", f"{self.address}/metadata")
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        # (batch, height, width, channels, levels)
        logits = signatures["logits"]["outputs"]["logits"]["tensor_shape"]
        _, *shape, self.num_levels = (int(dim["size"]) for dim in logits["dim"])
        self.shape = tuple(shape)

    def score(self, images, **told):
        """(log-probability in nats, bits/dim) of each image."""
        outputs = self.predict(
            "serving_default", images=self._nested(images), **told
        )
        return list(
            zip(outputs["log_prob"], outputs["bits_per_dim"], strict=True)
        )

    def sample(self, seed, temperature, **told):
        """New images, one for each seed."""
        return self._flat(
            self.predict("sample", seed=seed, temperature=temperature, **told)
        )

    def complete(self, images, mask, seed, temperature, **told):
        """Images whose unknown part (mask 0) is drawn."""
        height, _, _ = self.shape
        return self._flat(
            self.predict(
                "complete",
                images=self._nested(images),
                mask=[_rows(one, height) for one in mask],
                seed=seed,
                temperature=temperature,
                **told,
            )
        )

    def predict(self, signature_name, **inputs):
        """The outputs of a signature, as lists."""
        if len(inputs) == 1:
            (inputs,) = inputs.values()
        return self._answer(
            "post",
            f"{self.address}:predict",
            json={"signature_name": signature_name, "inputs": inputs},
        )["outputs"]

    def _answer(self, method, address, **request):
        try:
            response = self.session.request(
                method, address, timeout=self.timeout, **request
            )
            answer = response.json()
        except requests.RequestException as error:
            raise SystemExit(
                "`--server` must be the address of a server that answers. "
                f"Received: {address}: {error}. Start the server, or name "
                "another one."
            ) from error
        if "error" in answer:
            raise SystemExit(f"{response.status_code}: {answer['error']}")
        return answer

    def _nested(self, images):
        height, width, _ = self.shape
        return [
            [_rows(row, width) for row in _rows(one, height)] for one in images
        ]

    def _flat(self, images):
        return [
            bytes(itertools.chain.from_iterable(itertools.chain(*one)))
            for one in images
        ]


def _rows(values, count):
    """`count` lists of equal length."""
    length = len(values) // count
    return [list(values[i : i + length]) for i in range(0, len(values), length)]


if __name__ == "__main__":
    pictures.run(RestClient, "http://127.0.0.1:8501")
