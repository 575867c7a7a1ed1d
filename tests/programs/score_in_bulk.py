"""Scores an array, an image in each shard, until it is done or killed.

Arguments: preset, .npy file of levels, folder of the scores, engine.
"""

import sys

from keras_pixel.tasks import bulk_score

if __name__ == "__main__":
    model, images, folder, engine = sys.argv[1:]
    bulk_score(model, images, folder, engine=engine, workers=2, shard_size=1)
