"""Training: a trainer that knows nothing of the model, checkpoints that survive anything (chapter 6)."""

from course_lib.train.checkpoint import Checkpoints
from course_lib.train.evaluation import evaluate, nats_per_character
from course_lib.train.history import History, plot_history
from course_lib.train.precision import Precision, choose_precision
from course_lib.train.pretraining import RECIPE, Pretrained, Recipe, pretrain
from course_lib.train.trainer import TrainConfig, Trainer

__all__ = [
    "RECIPE",
    "Checkpoints",
    "History",
    "Precision",
    "Pretrained",
    "Recipe",
    "TrainConfig",
    "Trainer",
    "choose_precision",
    "evaluate",
    "nats_per_character",
    "plot_history",
    "pretrain",
]
