"""Answers to prune_magnitude. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from torch import nn


def _mask(weight, sparsity):
    k = round(sparsity * weight.numel())
    mask = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    mask[weight.abs().flatten().topk(k, largest=False).indices] = False
    return mask.view(weight.shape)


def _linears(model):
    return {name: module for name, module in model.model.named_modules(prefix="model")
            if isinstance(module, nn.Linear)}  # fmt: skip


@torch.no_grad()
def _prune(model, sparsity, names=None):
    masks = {}
    for name, linear in (names or _linears(model)).items():
        masks[name] = _mask(linear.weight, sparsity)
        linear.weight[~masks[name]] = 0
    return masks


def right_in_place(model, sparsity):
    return _prune(model, sparsity)


def right_by_product(model, sparsity):
    masks = {}
    for name, linear in _linears(model).items():
        masks[name] = _mask(linear.weight.data, sparsity)
        linear.weight.data = linear.weight.data * masks[name]
    return masks


def right_new_parameter(model, sparsity):
    masks = {}
    for name, linear in _linears(model).items():
        masks[name] = _mask(linear.weight.detach(), sparsity)
        linear.weight = nn.Parameter(torch.where(masks[name], linear.weight, 0.0), requires_grad=False)
    return masks


def not_applied(model, sparsity):
    """masks must be applied in place"""
    return {name: _mask(linear.weight, sparsity) for name, linear in _linears(model).items()}


def lm_head_too(model, sparsity):
    """lm_head is not one of them"""
    linears = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    return _prune(model, sparsity, linears)


def only_attention(model, sparsity):
    """are missing, the first is model.layers.0.mlp.down_proj"""
    return _prune(model, sparsity, {n: m for n, m in _linears(model).items() if "self_attn" in n})


def short_names(model, sparsity):
    """are missing"""
    return {name.split(".")[-1]: mask for name, mask in _prune(model, sparsity).items()}


def masks_inverted(model, sparsity):
    """the masks are inverted"""
    return {name: ~mask for name, mask in _prune(model, sparsity).items()}


def one_threshold(model, sparsity):
    """one threshold for all layers"""
    linears = _linears(model)
    every = torch.cat([linear.weight.abs().flatten() for linear in linears.values()])
    threshold = every.kthvalue(max(1, round(sparsity * len(every)))).values
    masks = {name: linear.weight.abs() > threshold for name, linear in linears.items()}
    if sparsity:
        for name, linear in linears.items():
            linear.weight[~masks[name]] = 0
    return masks


def survivors_rescaled(model, sparsity):
    """kept weights must not change"""
    masks = _prune(model, sparsity)
    for linear in _linears(model).values():
        linear.weight.data /= max(1 - sparsity, 0.1)
    return masks


def embeddings_too(model, sparsity):
    """model.embed_tokens.weight changed"""
    masks = _prune(model, sparsity)
    table = model.model.embed_tokens.weight
    table.data[~_mask(table, max(sparsity, 0.1))] = 0
    return masks


def returns_nothing(model, sparsity):
    """is a return missing?"""
    _prune(model, sparsity)


def weights_for_masks(model, sparsity):
    """torch.float32"""
    _prune(model, sparsity)
    return {name: linear.weight for name, linear in _linears(model).items()}


def leaves_a_hook(model, sparsity):
    """the measurement differs"""
    masks = _prune(model, sparsity)
    model.model.norm.register_forward_hook(lambda _module, _inputs, output: output * 1.5)
    return masks


def not_written(model, sparsity):
    """not written yet"""
    raise NotImplementedError
