"""The papers' experiments, as runs that are made where they are missing, and figures drawn from their results."""

from springline.reproduce.dana import DANA
from springline.reproduce.dana_cifar import DANA_CIFAR
from springline.reproduce.dynamic_weighting import DYNAMIC_WEIGHTING
from springline.reproduce.easgd import EASGD
from springline.reproduce.experiment import Experiment, Trial
from springline.reproduce.gauntlet import GAUNTLET
from springline.reproduce.methods import EVERY_METHOD
from springline.reproduce.results import Result, ResultsFile
from springline.reproduce.run import plans, reproduce, results_file
from springline.reproduce.speed_up import DANA_SPEED_UP
from springline.reproduce.stability import STABILITY

EXPERIMENTS: dict[str, Experiment] = {
    e.name: e for e in (EVERY_METHOD, DYNAMIC_WEIGHTING, GAUNTLET, DANA, DANA_CIFAR, DANA_SPEED_UP, EASGD, STABILITY)
}

__all__ = ["EXPERIMENTS", "Experiment", "Result", "ResultsFile", "Trial", "plans", "reproduce", "results_file"]
