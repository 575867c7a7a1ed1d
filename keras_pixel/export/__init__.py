"""SavedModel and ONNX; each export checks itself before it returns."""

from keras_pixel.export.to_onnx import onnx
from keras_pixel.export.to_saved_model import saved_model

__all__ = ["onnx", "saved_model"]
