"""The state of a training in a file, so that a training that was killed goes on with the same losses."""

import io
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from labsupport.errors import LabError
from labsupport.files import write_whole


@dataclass
class Watch:
    """A training's checkpoints and its losses on windows that are held out.

    file: of the last checkpoint; about: settings, as JSON data; a checkpoint of others is refused. every:
    steps between two checkpoints. validation: (step, mean loss on held_out), filled in by the training.
    """

    file: Path
    about: dict
    every: int
    held_out: list = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)

    def keep(self, losses: list[float], weights: list, optimizer, schedule, device: torch.device) -> None:
        """Write a checkpoint atomically. Raises LabError if the disk refuses."""
        state = {
            "about": self.about,
            "losses": losses,
            "validation": self.validation,
            "weights": [weight.detach().cpu() for weight in weights],
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "random": torch.get_rng_state(),
            "random on the GPU": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        try:
            write_whole(self.file, buffer.getvalue())
        except OSError as problem:
            raise LabError(f"Cannot write the checkpoint {self.file}: {problem.strerror}.") from problem

    @torch.no_grad()
    def resume(self, weights: list, optimizer, schedule, device: torch.device) -> list[float]:
        """Bring a training to its last checkpoint, in place; the losses until then. Raises LabError."""
        if not self.file.exists():
            return []
        try:
            state: Any = torch.load(self.file, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as problem:
            raise LabError(
                f"The checkpoint {self.file} cannot be read; remove it to start again."
            ) from problem
        if state["about"] != self.about:
            raise LabError(f"The checkpoint {self.file} belongs to other settings; remove it to start again.")
        for weight, kept in zip(weights, state["weights"], strict=True):
            weight.copy_(kept)
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        if state["random on the GPU"] is not None and device.type == "cuda":
            torch.cuda.set_rng_state(state["random on the GPU"], device)
        self.validation[:] = [tuple(each) for each in state["validation"]]
        return state["losses"]
