"""Answers to prune_sparsegpt. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from torch import nn
from torch.nn.utils import prune

from labsupport.given import sparsegpt as ours
from labsupport.given.input_norms import input_norms
from labsupport.given.wanda import n_of_m_masks, wanda_masks
from labsupport.linears import apply_masks, pruned_linears


def _layer(weight, hessian, sparsity, pattern):
    return ours.sparsegpt_layer(weight, ours.factor(hessian), sparsity, pattern)


@torch.no_grad()
def _hessians(model, windows, names):
    """The Hessians of some layers, summed over windows."""
    found, handles, linears = {}, [], pruned_linears(model)
    for name in names:

        def add(_module, inputs, name=name):
            found[name] = found.get(name, 0) + ours.hessian(inputs[0])

        handles.append(linears[name].register_forward_pre_hook(add))
    for window in windows:
        model.model(window.to(model.device), use_cache=False)
    for handle in handles:
        handle.remove()
    return found


@torch.no_grad()
def _solve(model, hessians, sparsity, pattern, layer=_layer):
    masks, linears = {}, pruned_linears(model)
    for name, hessian in hessians.items():
        new, masks[name] = layer(linears[name].weight, hessian, sparsity, pattern)
        linears[name].weight.copy_(new)
    return masks


@torch.no_grad()
def _in_passing(model, tokens, sparsity, pattern, layer=_layer, leave=False, hessian=ours.hessian):
    masks, handles = {}, []
    for name, linear in pruned_linears(model).items():

        def solve(module, inputs, name=name):
            new, masks[name] = layer(module.weight, hessian(inputs[0]), sparsity, pattern)
            module.weight.copy_(new)

        handles.append(linear.register_forward_pre_hook(solve))
    model.model(tokens.to(model.device), use_cache=False)
    for handle in [] if leave else handles:
        handle.remove()
    return masks


def right_given(model, batches, sparsity, pattern=None):
    return ours.prune_sparsegpt(model, batches, sparsity, pattern)


def right_in_passing(model, batches, sparsity, pattern=None):
    return _in_passing(model, torch.cat(batches), sparsity, pattern)


def right_mean_hessian(model, batches, sparsity, pattern=None):
    """A factor of H changes nothing."""
    tokens = torch.cat(batches)
    return _in_passing(
        model, tokens, sparsity, pattern, hessian=lambda x: 2 * ours.hessian(x) / tokens.numel()
    )


def right_layer_by_layer(model, batches, sparsity, pattern=None):
    masks = {}
    for name in pruned_linears(model):
        masks |= _solve(model, _hessians(model, batches, [name]), sparsity, pattern)
    return masks


def right_block_by_block(model, batches, sparsity, pattern=None):
    """As in the published code: a block is measured while it is dense."""
    blocks, masks = {}, {}
    for name in pruned_linears(model):
        blocks.setdefault(name.split(".")[2], []).append(name)
    for names in blocks.values():
        masks |= _solve(model, _hessians(model, batches, names), sparsity, pattern)
    return masks


def one_shot(model, batches, sparsity, pattern=None):
    """solved for what the dense model sends it"""
    return _solve(model, _hessians(model, batches, list(pruned_linears(model))), sparsity, pattern)


def masks_alone(model, batches, sparsity, pattern=None):
    """the new weights never came into the model"""

    def layer(weight, hessian, sparsity, pattern):
        mask = _layer(weight, hessian, sparsity, pattern)[1]
        return weight * mask, mask

    return _in_passing(model, torch.cat(batches), sparsity, pattern, layer)


def wanda(model, batches, sparsity, pattern=None):
    """the new weights never came into the model"""
    norms = input_norms(model, batches)
    masks = n_of_m_masks(model, norms, *pattern) if pattern else wanda_masks(model, norms, sparsity)
    apply_masks(model, masks)
    return masks


def last_batch(model, batches, sparsity, pattern=None):
    """only the last batch was counted"""
    return _in_passing(model, batches[-1], sparsity, pattern)


def first_batch(model, batches, sparsity, pattern=None):
    """only the first batch was counted"""
    return _in_passing(model, batches[0], sparsity, pattern)


def inverted(model, batches, sparsity, pattern=None):
    """the mask is inverted"""
    return {name: ~mask for name, mask in right_given(model, batches, sparsity, pattern).items()}


def not_in_place(model, batches, sparsity, pattern=None):
    """the model is pruned in place"""

    def layer(weight, hessian, sparsity, pattern):
        masks.append(_layer(weight, hessian, sparsity, pattern)[1])
        return weight, masks[-1]

    masks = []
    return _in_passing(model, torch.cat(batches), sparsity, pattern, layer)


def no_pattern(model, batches, sparsity, pattern=None):
    """the pattern was not used"""
    return _in_passing(model, torch.cat(batches), sparsity, None)


def hook_stays(model, batches, sparsity, pattern=None):
    """14 are still there"""
    return _in_passing(model, torch.cat(batches), sparsity, pattern, leave=True)


def head_too(model, batches, sparsity, pattern=None):
    """model.embed_tokens.weight changed"""
    masks = right_given(model, batches, sparsity, pattern)
    with torch.no_grad():
        model.lm_head.weight[:, ::2] = 0
    return masks


def skips_the_mlp(model, batches, sparsity, pattern=None):
    """are missing, the first is model.layers.0.mlp.down_proj"""
    masks = right_given(model, batches, sparsity, pattern)
    return {name: mask for name, mask in masks.items() if "self_attn" in name}


def pairs_for_masks(model, batches, sparsity, pattern=None):
    """the mask of"""
    masks = right_given(model, batches, sparsity, pattern)
    return {name: (pruned_linears(model)[name].weight, mask) for name, mask in masks.items()}


def the_tuple_of_the_hook(model, batches, sparsity, pattern=None):
    """A hook gets the inputs of its layer as a tuple"""
    return _in_passing(model, torch.cat(batches), sparsity, pattern, hessian=lambda x: (x,).float())


def returns_nothing(model, batches, sparsity, pattern=None):
    """is a return missing?"""
    right_given(model, batches, sparsity, pattern)


def torch_prune_left_in(model, batches, sparsity, pattern=None):
    """keeps weight_orig beside its mask: torch's prune.remove"""
    masks = ours.prune_sparsegpt(model, batches, sparsity, pattern)
    for linear in pruned_linears(model).values():
        prune.identity(linear, "weight")
    return masks


def stored_sparse(model, batches, sparsity, pattern=None):
    """is no dense tensor of the model any more"""
    masks = ours.prune_sparsegpt(model, batches, sparsity, pattern)
    for linear in pruned_linears(model).values():
        linear.weight = nn.Parameter(linear.weight.detach().to_sparse(), requires_grad=False)
    return masks


def as_buffers(model, batches, sparsity, pattern=None):
    """the weight of a layer is changed in place"""
    masks = right_given(model, batches, sparsity, pattern)
    for linear in pruned_linears(model).values():
        weight = linear.weight.detach()
        del linear.weight
        linear.register_buffer("weight", weight)
    return masks


def not_written(model, batches, sparsity, pattern=None):
    """not written yet"""
    raise NotImplementedError()
