"""Sub-pixels as tokens of one sequence, without another grid.

A tensor `(batch, height, width, channels * hidden_dim)` is the sequence of
`height * width * channels` sub-pixels in raster order: the token of channel
`c` is made of the features `f` with `f % channels == c`. So layers over
sub-pixels fit in among all others, and a step of the sampler is a token.
"""

from keras import ops


def to_tokens(features, channels):
    """Features as rows of tokens.

    Args:
        features: tensor `(batch, height, width, channels * hidden_dim)`.
        channels: int.

    Returns:
        Tensor `(batch, height, width * channels, hidden_dim)`.
    """
    if channels == 1:
        return features
    _, height, width, size = features.shape
    hidden_dim = size // channels
    parted = ops.reshape(features, (-1, height, width, hidden_dim, channels))
    parted = ops.transpose(parted, (0, 1, 2, 4, 3))
    return ops.reshape(parted, (-1, height, width * channels, hidden_dim))


def from_tokens(tokens, channels):
    """Rows of tokens as features; undoes `to_tokens`.

    Args:
        tokens: tensor `(batch, height, width * channels, hidden_dim)`.
        channels: int.

    Returns:
        Tensor `(batch, height, width, channels * hidden_dim)`.
    """
    if channels == 1:
        return tokens
    _, height, columns, hidden_dim = tokens.shape
    width = columns // channels
    parted = ops.reshape(tokens, (-1, height, width, channels, hidden_dim))
    parted = ops.transpose(parted, (0, 1, 2, 4, 3))
    return ops.reshape(parted, (-1, height, width, hidden_dim * channels))
