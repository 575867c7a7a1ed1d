"""Causal layers: each sees only what comes before in raster order."""

from keras_pixel.layers.background_channels import BackgroundChannels
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.categorical_head import CategoricalHead
from keras_pixel.layers.causal_attention import CausalAttention
from keras_pixel.layers.choose_order import ChooseOrder
from keras_pixel.layers.concat_elu import ConcatELU
from keras_pixel.layers.diagonal_bilstm import DiagonalBiLSTM
from keras_pixel.layers.diagonal_lstm import DiagonalLSTM
from keras_pixel.layers.downsample_conv2d import DownsampleConv2D
from keras_pixel.layers.embed_levels import EmbedLevels
from keras_pixel.layers.gated_masked_conv2d import GatedMaskedConv2D
from keras_pixel.layers.gated_residual import GatedResidual
from keras_pixel.layers.label_embedding import LabelEmbedding
from keras_pixel.layers.linear_normal_head import LinearNormalHead
from keras_pixel.layers.local_attention_1d import LocalAttention1D
from keras_pixel.layers.local_attention_2d import LocalAttention2D
from keras_pixel.layers.logistic_mixture_head import LogisticMixtureHead
from keras_pixel.layers.masked_conv2d import MaskedConv2D
from keras_pixel.layers.per_sub_pixel import PerSubPixel
from keras_pixel.layers.pixel_logits import PixelLogits
from keras_pixel.layers.positional_encoding_2d import PositionalEncoding2D
from keras_pixel.layers.reorder import Reorder
from keras_pixel.layers.row_lstm import RowLSTM
from keras_pixel.layers.scale_levels import ScaleLevels
from keras_pixel.layers.scale_shift import ScaleShift
from keras_pixel.layers.scanline_lstm import ScanlineLSTM
from keras_pixel.layers.shift_right import ShiftRight
from keras_pixel.layers.shifted_conv2d import ShiftedConv2D
from keras_pixel.layers.shifted_conv2d_transpose import ShiftedConv2DTranspose
from keras_pixel.layers.strict_attention_2d import StrictAttention2D
from keras_pixel.layers.upsample_conv2d import UpsampleConv2D

__all__ = [
    "UpsampleConv2D",
    "LogisticMixtureHead",
    "GatedResidual",
    "DownsampleConv2D",
    "ConcatELU",
    "BackgroundChannels",
    "CategoricalHead",
    "CausalAttention",
    "CausalLayer",
    "ChooseOrder",
    "DiagonalBiLSTM",
    "DiagonalLSTM",
    "EmbedLevels",
    "GatedMaskedConv2D",
    "LabelEmbedding",
    "LinearNormalHead",
    "LocalAttention1D",
    "LocalAttention2D",
    "MaskedConv2D",
    "PerSubPixel",
    "PixelLogits",
    "PositionalEncoding2D",
    "Reorder",
    "RowLSTM",
    "ScaleLevels",
    "ScaleShift",
    "ScanlineLSTM",
    "ShiftRight",
    "ShiftedConv2D",
    "ShiftedConv2DTranspose",
    "StrictAttention2D",
]
