"""A development server that speaks TF-Serving's REST and gRPC."""

from keras_pixel.serving.development import DevelopmentServer
from keras_pixel.serving.model_server import ModelServer

__all__ = ["DevelopmentServer", "ModelServer"]
