"""Drawing images step by step: samples, completions, particles, beams."""

from keras_pixel.sampling.beam import BeamResult
from keras_pixel.sampling.beam import beam_search
from keras_pixel.sampling.conditional import conditional_bits_per_dim
from keras_pixel.sampling.conditions import Conditions
from keras_pixel.sampling.orders import orders_of
from keras_pixel.sampling.particles import Particles
from keras_pixel.sampling.particles import draw_particles
from keras_pixel.sampling.sampler import Sampler
from keras_pixel.sampling.sampler import drawing_program

__all__ = [
    "BeamResult",
    "Conditions",
    "Particles",
    "Sampler",
    "beam_search",
    "conditional_bits_per_dim",
    "draw_particles",
    "drawing_program",
    "orders_of",
]
