"""Network output -> probability of a pixel."""

from keras_pixel.distributions.categorical import Categorical
from keras_pixel.distributions.discretized_normal import DiscretizedNormal
from keras_pixel.distributions.distribution import PixelDistribution
from keras_pixel.distributions.logistic_mixture import LogisticMixture

__all__ = [
    "Categorical",
    "DiscretizedNormal",
    "LogisticMixture",
    "PixelDistribution",
]
