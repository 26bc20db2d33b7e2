"""The tasks that a command line can name, as `NAME` or `NAME:key=value,…`."""

from __future__ import annotations

from springline.options import read
from springline.tasks import cifar
from springline.tasks.base import Task
from springline.tasks.double_well import DoubleWell
from springline.tasks.image_folder import Folder
from springline.tasks.images import FashionMnist, Mnist, MnistMlp
from springline.tasks.logistic import Logistic
from springline.tasks.quadratic import Quadratic, QuadraticGamma
from springline.tasks.recipe import Recipe, Say

TASKS: dict[str, type[Recipe]] = {
    r.name: r
    for r in (
        Mnist,
        MnistMlp,
        FashionMnist,
        cifar.Cifar10,
        cifar.Cifar10LowRank,
        cifar.Cifar10LowRank32,
        cifar.Cifar10ResNet20,
        cifar.Cifar10WideResNet,
        cifar.Cifar100ResNet20,
        cifar.Cifar100WideResNet,
        Folder,
        Quadratic,
        QuadraticGamma,
        DoubleWell,
        Logistic,
    )
}


def is_named(text: str) -> bool:
    """Whether a text begins with the name of a task, so that it is one of these and not a user's own."""
    return text.partition(":")[0] in TASKS


def load_task(text: str, say: Say = lambda _: None) -> Task:
    """The named task: `cifar10`, `quadratic:h=1,sigma=10`. say: called with a line about whatever takes time.

    Raises UsageError for a name, a key or a value that is not known.
    """
    return read(text, TASKS, "task", "task").load(say)
