"""Pixel by pixel, cached: ancestral sampling and completion."""

from keras_pixel.sampling.sampler import Sampler

__all__ = ["Sampler"]
