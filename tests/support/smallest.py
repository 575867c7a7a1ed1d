"""Every family at its smallest, for images of any shape."""

from keras_pixel import models

SMALLEST = {
    models.PixelCNN: {"filters": 6, "num_blocks": 1, "head_filters": 6},
    models.GatedPixelCNN: {"filters": 6, "num_layers": 1, "head_filters": 6},
    # Blocks of two pixels: the tiny images have several.
    models.ImageTransformer: {
        "num_layers": 1,
        "hidden_dim": 4,
        "num_heads": 2,
        "intermediate_dim": 4,
        "query_shape": (1, 2),
        "memory_flange": (0, 1),
    },
    models.GaussianPixels: {},
    models.IndependentPixels: {},
    models.PixelLSTM: {"hidden_dim": 4, "num_layers": 1},
    models.WavefrontPixelCNN: {"filters": 4, "num_mixtures": 2},
    models.PixelRNN: {"filters": 6, "num_layers": 1, "head_filters": 6},
    models.PixelCNNPlusPlus: {
        "filters": 3,
        "num_blocks": 1,
        "num_resolutions": 2,
        "num_mixtures": 2,
    },
    models.PixelSNAIL: {
        "filters": 3,
        "num_blocks": 1,
        "num_residual_blocks": 1,
        "key_dim": 2,
        "value_dim": 2,
        "num_mixtures": 2,
    },
}
