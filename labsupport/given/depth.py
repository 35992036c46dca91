"""Pruning by depth: the influence of each block, whole blocks dropped, and a sparsity for each layer.

Men et al. 2024 (ShortGPT), arXiv:2403.03853; Yin et al. 2024 (OWL), arXiv:2310.05175.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

FROM = 11  # the first lab that is given this file
ANSWERS = ("block_influence", "drop_blocks", "layer_budgets")
LISTS = ("layer_types", "layer_widths")  # of a config: one entry a block


def block_influence(hidden: list[torch.Tensor]) -> torch.Tensor:
    """1 minus the mean cosine of what goes into each block and what comes out: float32 [blocks].

    hidden: [B, L, hidden_size] before every block and after the last one. The mean runs over all tokens.
    """
    return torch.stack(
        [1 - functional.cosine_similarity(a.float(), b.float(), dim=-1).mean() for a, b in pairwise(hidden)]
    )


def drop_blocks(model: PreTrainedModel, keep: list[int]) -> None:
    """Leave the decoder blocks of `keep`, sorted indices, alone in the model, in place.

    The blocks get new numbers, by which they find their place in the KV cache, and the config says how many
    there are, so that a saved model can be loaded.
    """
    decoder: Any = model.model  # attributes of nn.Module are untyped
    kept: list[Any] = [decoder.layers[index] for index in keep]
    decoder.layers = nn.ModuleList(kept)
    for place, layer in enumerate(kept):
        layer.self_attn.layer_idx = place
    config: Any = model.config
    config.num_hidden_layers = len(keep)
    for name in LISTS:
        if listed := getattr(config, name, None):
            setattr(config, name, [listed[index] for index in keep])


def layer_budgets(outlier_ratio: torch.Tensor, sparsity: float, spread: float = 0.08) -> torch.Tensor:
    """A sparsity for each layer, lower where outliers are many: float32 [layers].

    outlier_ratio: [layers]. The mean is the sparsity, no budget is further than `spread` from it, and all lie
    from 0 to 1.
    """
    if outlier_ratio.min() == outlier_ratio.max():
        return torch.full_like(outlier_ratio, sparsity)
    below = outlier_ratio.mean() - outlier_ratio  # [layers]
    return sparsity + min(spread, sparsity, 1 - sparsity) * below / below.abs().max()
