"""What models can be used for: each a function of a model and data.

Such a task returns an object with `.table()` (Markdown), `.plot(path=None)` (a
picture) and `.save(folder)`, and has a command of `keras-pixel`. A `Policy` is
an object that acts, with neither.
"""

from keras_pixel.tasks.policy import Policy
from keras_pixel.tasks.probe import Probe
from keras_pixel.tasks.probe import ProbeResult
from keras_pixel.tasks.probe import probe

__all__ = ["Policy", "Probe", "ProbeResult", "probe"]
