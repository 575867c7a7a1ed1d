"""LabelEmbedding and ScaleShift: numbers by hand, and each refusal."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import LabelEmbedding
from keras_pixel.layers import ScaleShift


def embedding(**arguments):
    layer = LabelEmbedding(3, 2, **arguments)
    layer.build((None,))
    rows = 3 + bool(layer.dropout)
    layer.vectors.assign(np.arange(2.0 * rows).reshape(rows, 2))
    return layer


def test_each_class_has_its_vector():
    found = embedding()(np.array([2, 0]))
    assert np.asarray(found).tolist() == [[[[4.0, 5.0]]], [[[0.0, 1.0]]]]


def test_labels_are_left_out_in_training_only():
    layer = embedding(dropout=0.5)
    labels = np.zeros(200, "int32")
    assert not np.asarray(layer(labels)).any(axis=(1, 2, 3)).sum() - 200
    found = np.asarray(layer(labels, training=True))[:, 0, 0, 0]
    assert set(found.tolist()) == {0.0, 6.0}
    assert 0.3 < (found == 6.0).mean() < 0.7


def test_no_label_has_an_id_of_its_own_with_dropout():
    found = embedding(dropout=0.5)(np.array([3]))
    assert np.asarray(found).tolist() == [[[[6.0, 7.0]]]]


def test_embedding_comes_back_from_its_config():
    layer = LabelEmbedding(3, 2, 0.25, name="other", dtype="mixed_bfloat16")
    again = LabelEmbedding.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    found = again(np.array([1]))
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"


def test_scale_and_shift():
    x, change = np.float32([[2.0, 3.0]]), np.float32([[0.5, -1.0, 10.0, 20.0]])
    assert np.asarray(ScaleShift()([x, change])).tolist() == [[13.0, 20.0]]


def test_scale_and_shift_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="twice the features.*Use 6"):
        ScaleShift()([np.ones((1, 3), "float32"), np.ones((1, 3), "float32")])
