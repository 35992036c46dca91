"""A model to work on, by name or folder: one whose weights are numbers."""

from typing import Any

from labsupport import models
from labsupport.errors import LabError


def load(name: str) -> Any:
    """The model, as models.load gives it; raises LabError for weights that are NaN or infinite.

    Scores of such weights have no order, and the harness counts its first choice as an answer.
    """
    model = models.load(name)
    for place, weight in model.named_parameters():
        if not bool(weight.isfinite().all()):
            raise LabError(
                f"The model {name} holds weights that are no finite numbers, the first in {place}."
            )
    return model
