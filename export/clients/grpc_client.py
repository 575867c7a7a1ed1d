"""Score, sample and complete over gRPC, with tensorflow-serving-api.

python grpc_client.py score pictures/ --model pixelcnn_cifar10
"""

import grpc
import numpy as np
import pictures
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc


class GrpcClient:
    """A model of TF-Serving's PredictionService.

    What the model is told beside the images is given by name, such as
    `labels=[3, 7]`.

    Args:
        server: such as "127.0.0.1:8500".
        model: the model's name.
        version: int, or `None` for the latest one.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, server, model, version=None, timeout=600):
        # Logits are large: no limit on what comes back.
        options = [("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(server, options)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(
            self.channel
        )
        self.server = server
        self.model = model
        self.version = version
        self.timeout = timeout
        logits = self._signatures()["logits"].outputs["logits"].tensor_shape
        # (batch, height, width, channels, levels)
        _, *shape, self.num_levels = (dim.size for dim in logits.dim)
        self.shape = tuple(shape)

    def score(self, images, **told):
        """(log-probability in nats, bits/dim) of each image."""
        outputs = self.predict(
            "serving_default", images=self._images(images), **told
        )
        return list(
            zip(
                outputs["log_prob"].tolist(),
                outputs["bits_per_dim"].tolist(),
                strict=True,
            )
        )

    def sample(self, seed, temperature, **told):
        """New images, one for each seed."""
        outputs = self.predict(
            "sample",
            seed=np.array(seed, "int32"),
            temperature=np.array(temperature, "float32"),
            **told,
        )
        return [image.tobytes() for image in outputs["images"]]

    def complete(self, images, mask, seed, temperature, **told):
        """Images whose unknown part (mask 0) is drawn."""
        mask = np.frombuffer(b"".join(mask), "uint8")
        outputs = self.predict(
            "complete",
            images=self._images(images),
            mask=mask.reshape(-1, *self.shape[:2]),
            seed=np.array(seed, "int32"),
            temperature=np.array(temperature, "float32"),
            **told,
        )
        return [image.tobytes() for image in outputs["images"]]

    def predict(self, signature_name, **inputs):
        """The outputs of a signature, as arrays."""
        request = predict_pb2.PredictRequest()
        self._address(request.model_spec)
        request.model_spec.signature_name = signature_name
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        response = self._call(self.stub.Predict, request)
        return {
            name: tf.make_ndarray(value)
            for name, value in response.outputs.items()
        }

    def _signatures(self):
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        self._address(request.model_spec)
        request.metadata_field.append("signature_def")
        response = self._call(self.stub.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return signatures.signature_def

    def _address(self, spec):
        spec.name = self.model
        if self.version is not None:
            spec.version.value = self.version

    def _call(self, method, request):
        try:
            return method(request, timeout=self.timeout)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise SystemExit(
                    "`--server` must be the address of a server that answers. "
                    f"Received: {self.server}: {error.details()}. Start the "
                    "server, or name another one."
                ) from error
            raise SystemExit(
                f"{error.code().name}: {error.details()}"
            ) from error

    def _images(self, images):
        values = np.frombuffer(b"".join(images), "uint8")
        return values.reshape(-1, *self.shape)


if __name__ == "__main__":
    pictures.run(GrpcClient, "127.0.0.1:8500")
