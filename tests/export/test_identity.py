"""Which versions of a served model are of one preset or architecture."""

import keras

from keras_pixel import layers
from keras_pixel.export.identity import identity
from keras_pixel.models import PixelModel


def own_graph(filters):
    inputs = keras.Input((4, 4, 1), dtype="int32")
    x = layers.ScaleLevels(2)(inputs)
    x = layers.MaskedConv2D(filters, 3, mask_type="A")(x)
    return PixelModel(inputs, layers.CategoricalHead(2)(x), num_levels=2)


def test_a_graph_of_ones_own_is_the_same_when_built_again():
    # Keras numbers its layers anew.
    assert identity(own_graph(3)) == identity(own_graph(3))
    assert identity(own_graph(3)) != identity(own_graph(4))
