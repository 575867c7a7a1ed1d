"""Network output -> probability of a pixel."""

from keras_pixel.distributions.categorical import Categorical
from keras_pixel.distributions.distribution import PixelDistribution

__all__ = ["Categorical", "PixelDistribution"]
