"""One paper per file; `pixel_model.py` holds what all share.

A `PixelModel` can be scored, drawn from, published and trained: each is a
class in a file of its own, `scorable.py`, `drawable.py`, `publishable.py` and
`trainable.py`.
"""

from keras_pixel.models.causality import check_causality
from keras_pixel.models.gated_pixel_cnn import GatedPixelCNN
from keras_pixel.models.gaussian_pixels import GaussianPixels
from keras_pixel.models.image_transformer import ImageTransformer
from keras_pixel.models.independent_pixels import IndependentPixels
from keras_pixel.models.pixel_cnn import PixelCNN
from keras_pixel.models.pixel_cnn_plus_plus import PixelCNNPlusPlus
from keras_pixel.models.pixel_lstm import PixelLSTM
from keras_pixel.models.pixel_model import PixelModel
from keras_pixel.models.pixel_rnn import PixelRNN
from keras_pixel.models.pixel_snail import PixelSNAIL
from keras_pixel.models.wavefront_pixel_cnn import WavefrontPixelCNN

__all__ = [
    "GatedPixelCNN",
    "GaussianPixels",
    "ImageTransformer",
    "IndependentPixels",
    "PixelCNN",
    "PixelCNNPlusPlus",
    "PixelLSTM",
    "PixelModel",
    "PixelRNN",
    "PixelSNAIL",
    "WavefrontPixelCNN",
    "check_causality",
]
