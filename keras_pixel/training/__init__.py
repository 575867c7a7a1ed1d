"""From a recipe to a fitted model: training, resuming, evaluation."""

from keras_pixel.data import image_sheet
from keras_pixel.data import save_picture
from keras_pixel.training.curve import learning_curve
from keras_pixel.training.devices import join_processes
from keras_pixel.training.dry_run import DryRun
from keras_pixel.training.dry_run import dry_run
from keras_pixel.training.evaluation import evaluate
from keras_pixel.training.finetuning import FinetuneResult
from keras_pixel.training.finetuning import finetune
from keras_pixel.training.lora import enable_lora
from keras_pixel.training.operations import count_operations
from keras_pixel.training.recipe import Recipe
from keras_pixel.training.schedule import WarmupDecay
from keras_pixel.training.trainer import TrainingResult
from keras_pixel.training.trainer import train

__all__ = [
    "DryRun",
    "FinetuneResult",
    "Recipe",
    "TrainingResult",
    "WarmupDecay",
    "dry_run",
    "count_operations",
    "enable_lora",
    "evaluate",
    "finetune",
    "image_sheet",
    "join_processes",
    "learning_curve",
    "save_picture",
    "train",
]
