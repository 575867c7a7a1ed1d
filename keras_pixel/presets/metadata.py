"""What `metadata.json` must say, as Pydantic checks it."""

from typing import Any
from typing import Literal
from typing import NotRequired

import pydantic
from typing_extensions import TypedDict

from keras_pixel import schemas

# Whatever else is worth knowing about a model may stand beside it.
_OPEN = pydantic.ConfigDict(extra="allow", strict=True)


@pydantic.with_config(_OPEN)
class FileEntry(TypedDict):
    """A file of the preset: its hash, and its size where it is known."""

    sha256: str
    bytes: NotRequired[schemas.CountOrZero]


@pydantic.with_config(_OPEN)
class Decoding(TypedDict):
    """How images are drawn: steps of an image, and the wavefront's lag.

    `lag` is `None` in raster order. The method "naive" makes a forward pass
    in each step.
    """

    method: Literal["cached", "naive"]
    lag: schemas.Count | None
    steps: schemas.Count


@pydantic.with_config(_OPEN)
class Metadata(TypedDict):
    """What loading a preset relies on."""

    files: dict[str, FileEntry]
    versions: NotRequired[dict[str, Any]]
    class_names: NotRequired[list[str]]
    orders: NotRequired[list[str]]
    num_parameters: NotRequired[schemas.CountOrZero]
    decoding: NotRequired[Decoding]
    # The config of a `keras_pixel.data.Discretizer`.
    discretizer: NotRequired[dict[str, Any]]


_ADAPTER = pydantic.TypeAdapter(Metadata)


def check(metadata: dict[str, Any], where: str) -> None:
    """Check a preset's metadata.

    Args:
        metadata: what its JSON file holds.
        where: str. The file, for the error.

    Raises:
        ValueError: if a part that loading relies on is missing or wrong.
    """
    try:
        _ADAPTER.validate_python(metadata)
    except pydantic.ValidationError as error:
        problem = schemas.one_line(
            error, _ADAPTER.json_schema(), "metadata", metadata
        )
        raise ValueError(
            f"{where}: {problem} Fetch or save the preset again."
        ) from None
