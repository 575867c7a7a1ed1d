"""Loads a preset of `tests/presets/test_loading.py` and runs it.

Arguments: folder of the preset.
"""

import sys

sys.modules["tensorflow"] = None
import keras  # noqa: E402

from tests.presets import test_loading  # noqa: E402

model = test_loading.presets.load(sys.argv[1])
print(keras.backend.backend(), model(test_loading.IMAGES).shape)
