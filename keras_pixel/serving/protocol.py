"""Answers that REST and gRPC share, as the official messages."""

from collections.abc import Iterable
from typing import Any

from keras_pixel.export.servable import RequestError
from keras_pixel.serving.repository import ModelRepository

SIGNATURE_DEF = "signature_def"
# gRPC sends an error in a header, of at most 8 KiB with every character of
# another alphabet written in up to twelve.
MAX_ERROR_LENGTH = 500


def shortened(text: str) -> str:
    """Shorten an error's text in the middle, if it quotes too much."""
    if len(text) <= MAX_ERROR_LENGTH:
        return text
    half = MAX_ERROR_LENGTH // 2
    return f"{text[: half - 3]} … {text[-half:]}"


def status_response(
    repository: ModelRepository,
    name: str,
    version: int | None = None,
    label: str | None = "",
) -> Any:
    """Make a GetModelStatusResponse of all versions or the one asked for."""
    from tensorflow_serving.apis import get_model_status_pb2

    if version is None and not label:
        versions = repository.versions(name)
    else:
        versions = dict([repository.find(name, version, label)])
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, found in reversed(versions.items()):
        status = response.model_version_status.add(
            version=number, state=found.state
        ).status
        # Shown in JSON though all its values are defaults.
        status.SetInParent()
        if found.error is not None:
            # UNKNOWN of google.rpc.Code
            status.error_code = 2
            status.error_message = shortened(str(found.error))
    return response


def metadata_response(
    repository: ModelRepository,
    name: str,
    version: int | None = None,
    label: str | None = "",
) -> Any:
    """Make a GetModelMetadataResponse with the signatures of a version."""
    from tensorflow_serving.apis import get_model_metadata_pb2

    version, servable = repository.servable(name, version, label)
    signatures = get_model_metadata_pb2.SignatureDefMap(
        signature_def=servable.signature_defs
    )
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = version
    response.metadata[SIGNATURE_DEF].Pack(signatures)
    return response


def status_json(response: Any) -> dict[str, Any]:
    """Return the JSON of a GetModelStatusResponse."""
    from google.protobuf import json_format

    return json_format.MessageToDict(
        response,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )


def models_json(repository: ModelRepository) -> dict[str, Any]:
    """Return the status of every model: TF-Serving has no such list."""
    return {
        "models": [
            {"name": name, **status_json(status_response(repository, name))}
            for name in repository.names()
        ]
    }


def metadata_json(response: Any) -> dict[str, Any]:
    """Return a GetModelMetadataResponse's JSON as TF-Serving writes it."""
    from google.protobuf import json_format
    from tensorflow_serving.apis import get_model_metadata_pb2

    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[SIGNATURE_DEF].Unpack(signatures)
    spec, metadata = (
        json_format.MessageToDict(
            message,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        for message in (response.model_spec, signatures)
    )
    return {"model_spec": spec, "metadata": {SIGNATURE_DEF: metadata}}


def check_metadata_fields(fields: Iterable[str]) -> None:
    """Raise `RequestError` where TF-Serving does."""
    if set(fields) != {SIGNATURE_DEF}:
        raise RequestError(
            "INVALID_ARGUMENT",
            f"`metadata_field` must be ['{SIGNATURE_DEF}']. "
            f"Received: {list(fields)}.",
        )
