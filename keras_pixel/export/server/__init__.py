"""A development server that speaks TF-Serving's REST and gRPC."""

from keras_pixel.export.server.development import DevelopmentServer
from keras_pixel.export.server.model_server import ModelServer

__all__ = ["DevelopmentServer", "ModelServer"]
