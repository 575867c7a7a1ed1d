"""SavedModel, ONNX and TF-Serving; each export checks itself first."""

from keras_pixel.export.to_onnx import onnx
from keras_pixel.export.to_saved_model import saved_model
from keras_pixel.export.to_tf_serving import tf_serving

__all__ = ["onnx", "saved_model", "tf_serving"]
