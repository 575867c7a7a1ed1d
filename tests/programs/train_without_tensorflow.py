"""Trains on JAX, resumed and at once, and compares the checkpoints.

Arguments: recipe as JSON, folder for both trainings.
"""

import json
import sys

sys.modules["tensorflow"] = None
import keras  # noqa: E402

from keras_pixel.training import train  # noqa: E402
from keras_pixel.training.checkpoint import load_arrays  # noqa: E402

config = json.loads(sys.argv[1])
ends = []
for name, lengths in (("resumed", (4, 8)), ("whole", (8,))):
    folder = f"{sys.argv[2]}/{name}"
    for steps in lengths:
        result = train({**config, "steps": steps}, folder, progress=False)
    ends.append(load_arrays(folder + "/checkpoints/checkpoint-000000008.npz"))
(ours, _), (theirs, _) = ends
same = all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)
print(keras.backend.backend(), result.step, len(ours) == len(theirs) and same)
print("tensorflow.python" in sys.modules)
