"""Answers to prune_wanda. A wrong one's docstring is the phrase that must name its mistake."""

import torch

from labsupport.given.input_norms import input_norms
from labsupport.linears import apply_masks, pruned_linears


def _rows(score, sparsity):
    mask = torch.ones_like(score, dtype=torch.bool)
    k = round(sparsity * score.shape[1])
    return mask.scatter_(1, score.topk(k, dim=1, largest=False).indices, False)


def _matrix(score, sparsity):
    return _rows(score.reshape(1, -1), sparsity).view(score.shape)


def _prune(model, norms, sparsity, select=_rows):
    masks = {name: select(linear.weight.abs() * norms[name], sparsity)
             for name, linear in pruned_linears(model).items()}  # fmt: skip
    apply_masks(model, masks)
    return masks


@torch.no_grad()
def _watched(model, batches, measure, of_output=False):
    """One measure of the inputs (or outputs) of every Linear, over all tokens at once."""
    seen = {name: [] for name in pruned_linears(model)}

    def watch(name):
        return lambda _module, inputs, output: seen[name].append((output if of_output else inputs[0])[0])

    handles = [linear.register_forward_hook(watch(name)) for name, linear in pruned_linears(model).items()]
    for batch in batches:
        model(batch.to(model.device))
    for handle in handles:
        handle.remove()
    return {name: measure(torch.cat(tokens)) for name, tokens in seen.items()}


def right_given_norms(model, batches, sparsity):
    return _prune(model, input_norms(model, batches), sparsity)


def right_own_norms(model, batches, sparsity):
    return _prune(model, _watched(model, batches, lambda x: torch.linalg.vector_norm(x, dim=0)), sparsity)


def right_mean_squares(model, batches, sparsity):
    norms = _watched(model, batches, lambda x: x.double().square().mean(dim=0).sqrt())
    return _prune(model, norms, sparsity)


def right_one_big_batch(model, batches, sparsity):
    return _prune(model, input_norms(model, [torch.cat(batches)]), sparsity)


@torch.no_grad()
def right_layer_by_layer(model, batches, sparsity):
    norms, masks = input_norms(model, batches), {}
    for name, linear in pruned_linears(model).items():
        masks[name] = _rows(linear.weight.abs() * norms[name], sparsity)
        linear.weight *= masks[name]
    return masks


def hooks_stay(model, batches, sparsity):
    """are still there"""
    for linear in pruned_linears(model).values():
        linear.register_forward_hook(lambda *_: None)
    return right_given_norms(model, batches, sparsity)


def a_backward_hook_stays(model, batches, sparsity):
    """one is still there"""
    model.register_full_backward_hook(lambda *_: None)
    return right_given_norms(model, batches, sparsity)


def left_in_training_mode(model, batches, sparsity):
    """your function leaves it in training mode"""
    masks = right_given_norms(model, batches, sparsity)
    model.train()
    return masks


def empties_the_batches(model, batches, sparsity):
    """your function changed batches in place"""
    return right_given_norms(model, iter([batches.pop(0) for _ in list(batches)]), sparsity)


def magnitude_in_rows(model, batches, sparsity):
    """the input norms were not used: each row dropped its smallest magnitudes"""
    ones = {name: torch.ones(()) for name in pruned_linears(model)}
    return _prune(model, ones, sparsity)


def magnitude_in_matrix(model, batches, sparsity):
    """these are the masks of prune_magnitude"""
    ones = {name: torch.ones(()) for name in pruned_linears(model)}
    return _prune(model, ones, sparsity, _matrix)


def output_norms(model, batches, sparsity):
    """such as the norm of its output"""
    norms = _watched(model, batches, lambda y: y.norm(dim=0)[:, None], of_output=True)
    return _prune(model, norms, sparsity)


def output_norms_as_inputs(model, batches, sparsity):
    """your function raised RuntimeError"""
    return _prune(model, _watched(model, batches, lambda y: y.norm(dim=0), of_output=True), sparsity)


def whole_matrix(model, batches, sparsity):
    """the scores were ranked over the whole matrix at once"""
    return _prune(model, input_norms(model, batches), sparsity, _matrix)


def mean_absolute(model, batches, sparsity):
    """mean absolute inputs were taken for norms"""
    return _prune(model, _watched(model, batches, lambda x: x.abs().mean(dim=0)), sparsity)


def no_square_root(model, batches, sparsity):
    """the square root is missing"""
    return _prune(model, {name: norm**2 for name, norm in input_norms(model, batches).items()}, sparsity)


def last_batch(model, batches, sparsity):
    """only the last batch was counted"""
    return _prune(model, input_norms(model, batches[-1:]), sparsity)


def first_batch(model, batches, sparsity):
    """only the first batch was counted"""
    return _prune(model, input_norms(model, batches[:1]), sparsity)


def sequential_by_block(model, batches, sparsity):
    """sequential calibration"""
    masks, blocks = {}, {}
    for name in pruned_linears(model):
        blocks.setdefault(name.split(".")[2], []).append(name)
    for names in blocks.values():
        norms, linears = input_norms(model, batches), pruned_linears(model)
        found = {name: _rows(linears[name].weight.abs() * norms[name], sparsity) for name in names}
        apply_masks(model, found)
        masks |= found
    return masks


def sequential_by_layer(model, batches, sparsity):
    """sequential calibration"""
    masks = {}
    for name, linear in pruned_linears(model).items():
        masks[name] = _rows(linear.weight.abs() * input_norms(model, batches)[name], sparsity)
        apply_masks(model, {name: masks[name]})
    return masks


@torch.no_grad()
def sequential_as_it_flows(model, batches, sparsity):
    """sequential calibration"""
    masks, handles = {}, []
    for name, linear in pruned_linears(model).items():

        def prune(module, inputs, name=name):
            norm = inputs[0].flatten(0, -2).norm(dim=0)
            masks[name] = _rows(module.weight.abs() * norm, sparsity)
            module.weight *= masks[name]

        handles.append(linear.register_forward_pre_hook(prune))
    model(torch.cat(batches).to(model.device))
    for handle in handles:
        handle.remove()
    return masks


def masks_inverted(model, batches, sparsity):
    """the mask is inverted"""
    return {name: ~mask for name, mask in right_given_norms(model, batches, sparsity).items()}


@torch.no_grad()
def not_applied(model, batches, sparsity):
    """masks must be applied in place"""
    norms = input_norms(model, batches)
    return {name: _rows(linear.weight.abs() * norms[name], sparsity)
            for name, linear in pruned_linears(model).items()}  # fmt: skip


@torch.no_grad()
def scores_for_weights(model, batches, sparsity):
    """kept weights must not change"""
    norms = input_norms(model, batches)
    masks = right_given_norms(model, batches, sparsity)
    for name, linear in pruned_linears(model).items():
        linear.weight *= norms[name]
    return masks


def skips_the_mlp(model, batches, sparsity):
    """are missing, the first is model.layers.0.mlp.down_proj"""
    masks = right_given_norms(model, batches, sparsity)
    return {name: mask for name, mask in masks.items() if "self_attn" in name}


def returns_nothing(model, batches, sparsity):
    """is a return missing?"""
    right_given_norms(model, batches, sparsity)


def a_dict_for_norms(model, batches, sparsity):
    """the dict of all norms was passed where the norms of one layer are wanted"""
    norms = input_norms(model, batches)
    return {name: _rows(linear.weight.abs() * norms, sparsity)
            for name, linear in pruned_linears(model).items()}  # fmt: skip


def a_dict_for_a_tensor(model, batches, sparsity):
    """a whole dict was passed where the tensor of one layer is wanted"""
    norms = input_norms(model, batches)
    return {name: _rows(linear.weight.abs() * norms.float(), sparsity)
            for name, linear in pruned_linears(model).items()}  # fmt: skip


def short_names(model, batches, sparsity):
    """your keys q_proj, k_proj, v_proj, ... (7 in all) wanted keys model.layers.0.mlp.down_proj,"""
    return {name.split(".")[-1]: mask for name, mask in right_given_norms(model, batches, sparsity).items()}


def not_written(model, batches, sparsity):
    """not written yet"""
    raise NotImplementedError()
