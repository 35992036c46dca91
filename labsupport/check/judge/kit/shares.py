"""What every answer must be that says which share of each layer or group of weights goes."""

import torch

from labsupport.check.judge.kit.compare import Wrong, WrongForm, is_tensor

SLACK = 1e-5


def are_numbers(found: torch.Tensor, few: dict) -> None:
    """Raise unless it is a tensor of floats without NaN; few: the arguments to show, where they are short."""
    is_tensor(found)
    if found.dtype not in (torch.float32, torch.float64):
        raise WrongForm(f"it is {found.dtype}")
    if bool(found.isnan().any()):
        raise Wrong("there is NaN in it", **few)


def are_shares(found: torch.Tensor, few: dict) -> None:
    """Raise unless each is from 0 to 1, up to rounding."""
    if bool((found < -SLACK).any()) or bool((found > 1 + SLACK).any()):
        raise Wrong(f"yours go from {found.min():.4f} to {found.max():.4f}", **few, your_budgets=found)
