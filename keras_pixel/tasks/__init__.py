"""What models can be used for: each a function of a model and data.

Every task returns an object with `.table()` (Markdown), `.plot(path=None)` (a
picture) and `.save(folder)`, and has a command of `keras-pixel`.
"""

from keras_pixel.tasks.probe import Probe
from keras_pixel.tasks.probe import ProbeResult
from keras_pixel.tasks.probe import probe

__all__ = ["Probe", "ProbeResult", "probe"]
