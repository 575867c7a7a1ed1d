"""Image data as integer levels, with honest train/validation/test splits."""

from keras_pixel.data.batches import ImageBatches
from keras_pixel.data.discretizer import Discretizer
from keras_pixel.data.image_data import ImageData
from keras_pixel.data.loading import load_data
from keras_pixel.data.pictures import cut_sheet
from keras_pixel.data.pictures import image_sheet
from keras_pixel.data.pictures import save_picture

__all__ = [
    "Discretizer",
    "ImageBatches",
    "ImageData",
    "cut_sheet",
    "image_sheet",
    "load_data",
    "save_picture",
]
