"""Outliers among Wanda's scores: how many weights of a block matter far more than the others.

Yin et al. 2024 (OWL), arXiv:2310.05175.
"""

from itertools import groupby

import torch
from torch import nn

from labsupport.given.wanda import scores

FROM = 5  # the first lab that is given this file
ANSWERS = ("wanda_score",)


def block_of(name: str) -> int:
    """The number of the decoder block that a layer stands in, by the layer's full name."""
    return int(name.split(".")[2])


def ratios(model: nn.Module, norms: dict[str, torch.Tensor], times: float = 5.0) -> torch.Tensor:
    """The share of each block's scores that are above `times` their mean, over all seven Linears: [blocks].

    norms: the input norms by full name, [in_features] each.
    """
    found = []
    for _, layers in groupby(scores(model, norms), key=lambda item: block_of(item[0])):
        score = torch.cat([score.flatten() for _, score in layers])
        found.append((score > times * score.mean()).float().mean())
    return torch.stack(found)
