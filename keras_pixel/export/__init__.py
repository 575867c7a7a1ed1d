"""SavedModel, ONNX, TF-Serving, Triton; each export checks itself first."""

from keras_pixel.export.to_onnx import onnx
from keras_pixel.export.to_saved_model import saved_model
from keras_pixel.export.to_tf_serving import tf_serving
from keras_pixel.export.to_triton import triton

__all__ = ["onnx", "saved_model", "tf_serving", "triton"]
