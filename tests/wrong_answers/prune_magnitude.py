"""Answers to prune_magnitude. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from torch import nn
from torch.nn.utils import parametrize, prune


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
    """your keys q_proj, k_proj, v_proj, ... (7 in all) wanted keys model.layers.0.mlp.down_proj,"""
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


def _replace(model, name, module):
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


def torch_prune_left_in(model, sparsity):
    """keeps weight_orig beside its mask: torch's prune.remove"""
    masks = {}
    for name, linear in _linears(model).items():
        prune.l1_unstructured(linear, "weight", amount=round(sparsity * linear.weight.numel()))
        masks[name] = linear.weight_mask.bool()
    return masks


class _Masked(nn.Module):
    def __init__(self, linear, mask):
        super().__init__()
        self.linear, self.mask = linear, mask

    def forward(self, x):
        return nn.functional.linear(x, self.linear.weight * self.mask)


def wrapped_in_a_module(model, sparsity):
    """has no weight of its own any more, there is model.layers.0.self_attn.q_proj.linear.weight"""
    masks = {name: _mask(linear.weight, sparsity) for name, linear in _linears(model).items()}
    for name, linear in _linears(model).items():
        _replace(model, name, _Masked(linear, masks[name]))
    return masks


class _Multiplied(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, weight):
        return weight * self.mask


def parametrized(model, sparsity):
    """has no weight of its own any more, there is"""
    masks = {name: _mask(linear.weight, sparsity) for name, linear in _linears(model).items()}
    for name, linear in _linears(model).items():
        parametrize.register_parametrization(linear, "weight", _Multiplied(masks[name]))
    return masks


def quantised(model, sparsity):
    """is no parameter of the model any more"""
    masks = _prune(model, sparsity)
    torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, inplace=True)
    return masks


def a_layer_deleted(model, sparsity):
    """is no parameter of the model any more"""
    masks = _prune(model, sparsity)
    del model.model.layers[1].mlp.up_proj
    return masks


def a_layer_for_identity(model, sparsity):
    """is no parameter of the model any more"""
    masks = _prune(model, sparsity)
    model.model.layers[1].self_attn.q_proj = nn.Identity()
    return masks


def a_block_removed(model, sparsity):
    """is no parameter of the model any more"""
    masks = _prune(model, sparsity)
    model.model.layers = model.model.layers[:1]
    return masks


def stored_sparse(model, sparsity):
    """is stored as torch.sparse_coo"""
    masks = _prune(model, sparsity)
    for linear in _linears(model).values():
        linear.weight = nn.Parameter(linear.weight.detach().to_sparse(), requires_grad=False)
    return masks


def on_meta(model, sparsity):
    """on meta"""
    masks = _prune(model, sparsity)
    model.to("meta")
    return masks


def plain_attributes(model, sparsity):
    """is no parameter of the model any more"""
    masks = _prune(model, sparsity)
    for linear in _linears(model).values():
        weight = linear.weight.detach()
        del linear.weight
        linear.weight = weight
    return masks


def as_buffers(model, sparsity):
    """is no parameter of the model any more"""
    masks = _prune(model, sparsity)
    for linear in _linears(model).values():
        weight = linear.weight.detach()
        del linear.weight
        linear.register_buffer("weight", weight)
    return masks


def layers_swapped(model, sparsity):
    """model.layers.0.mlp.up_proj has the weight of model.layers.1.mlp.up_proj"""
    masks = _prune(model, sparsity)
    first, second = model.model.layers
    first.mlp.up_proj, second.mlp.up_proj = second.mlp.up_proj, first.mlp.up_proj
    return masks


def layers_tied(model, sparsity):
    """model.layers.1.mlp.up_proj has the weight of model.layers.0.mlp.up_proj"""
    masks = _prune(model, sparsity)
    first, second = model.model.layers
    second.mlp.up_proj.weight = first.mlp.up_proj.weight
    return masks


def in_half_precision(model, sparsity):
    """is now torch.float16 of (48, 48)"""
    masks = _prune(model, sparsity)
    model.half()
    return masks


def in_float64(model, sparsity):
    """is now torch.float64 of (48, 48)"""
    masks = _prune(model, sparsity)
    model.double()
    return masks


def rows_cut_off(model, sparsity):
    """is now torch.float32 of (40, 48)"""
    masks = _prune(model, sparsity)
    linear = model.model.layers[0].self_attn.q_proj
    linear.weight = nn.Parameter(linear.weight[:40], requires_grad=False)
    return masks


def a_layer_for_its_weight(model, sparsity):
    """a layer was passed where its weight is wanted"""
    return {name: _mask(linear, sparsity) for name, linear in _linears(model).items()}


def a_dict_for_a_weight(model, sparsity):
    """a whole dict was passed where the tensor of one layer is wanted"""
    return {name: _linears(model).abs() > sparsity for name in _linears(model)}


def names_inside_the_decoder(model, sparsity):
    """your keys layers.0.self_attn.q_proj, layers.0.self_attn.k_proj"""
    return {name.removeprefix("model."): mask for name, mask in _prune(model, sparsity).items()}


def left_in_training_mode(model, sparsity):
    """your function leaves it in training mode"""
    return right_in_place(model.train(), sparsity)


def not_written(model, sparsity):
    """not written yet"""
    raise NotImplementedError
