"""Image data as integer levels, with honest train/validation/test splits."""

from keras_pixel.data.batches import ImageBatches
from keras_pixel.data.image_data import ImageData
from keras_pixel.data.loading import load_data

__all__ = ["ImageBatches", "ImageData", "load_data"]
