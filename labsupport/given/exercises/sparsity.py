"""0.1 sparsity, made from solutions/00_start_here.py."""

import torch

def sparsity(mask: torch.BoolTensor) -> float:
    """The share of dropped weights, 0 to 1. mask: bool of any shape, True = keep."""
    return (~mask).sum().item() / mask.numel()
