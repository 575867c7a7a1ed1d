"""Prints what Triton's own message says of config.pbtxt files.

Run by a Python that has `tritonclient[grpc]`, without keras_pixel.
"""

import pathlib
import sys

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

for path in sys.argv[1:]:
    config = text_format.Parse(
        pathlib.Path(path).read_text(), model_config_pb2.ModelConfig()
    )
    print(
        config.name,
        config.backend,
        config.max_batch_size,
        len(config.input),
        len(config.output),
        len(config.model_warmup),
    )
