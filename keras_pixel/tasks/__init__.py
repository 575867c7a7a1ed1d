"""What models can be used for: each a function of a model and data.

Every task returns an object with `.table()` (Markdown), `.plot(path=None)` (a
picture) and `.save(folder)`, and has a command of `keras-pixel`. Bulk work
writes its results as it goes, and has a `.table()` alone. A `Policy` acts
instead.
"""

from keras_pixel.tasks.bulk import bulk_sample
from keras_pixel.tasks.bulk import bulk_score
from keras_pixel.tasks.bulk_result import BulkSamples
from keras_pixel.tasks.bulk_result import BulkScores
from keras_pixel.tasks.classification import ClassificationResult
from keras_pixel.tasks.classification import classify
from keras_pixel.tasks.compression import compress
from keras_pixel.tasks.compression import decompress
from keras_pixel.tasks.compression import read_header
from keras_pixel.tasks.compression_file import Item
from keras_pixel.tasks.compression_result import CompressionResult
from keras_pixel.tasks.outliers import OutlierDetector
from keras_pixel.tasks.outliers import find_outliers
from keras_pixel.tasks.outliers import mutate
from keras_pixel.tasks.outliers_result import Outliers
from keras_pixel.tasks.outliers_result import OutliersResult
from keras_pixel.tasks.policy import Policy
from keras_pixel.tasks.probe import probe
from keras_pixel.tasks.probe_result import Probe
from keras_pixel.tasks.probe_result import ProbeResult

__all__ = [
    "BulkSamples",
    "BulkScores",
    "ClassificationResult",
    "CompressionResult",
    "Item",
    "OutlierDetector",
    "Outliers",
    "OutliersResult",
    "Policy",
    "Probe",
    "ProbeResult",
    "bulk_sample",
    "bulk_score",
    "classify",
    "compress",
    "decompress",
    "find_outliers",
    "mutate",
    "probe",
    "read_header",
]
