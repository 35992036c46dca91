"""Answers to prune_blocks. A wrong one's docstring is the phrase that must name its mistake."""

import copy

import torch
from torch import nn
from torch.nn.utils import prune

from labsupport import linears, structured, widths
from labsupport.given import blocks as ours

MLP, ATTENTION = ("gate", "up", "down"), ("q", "k", "v", "o")


def _linears(model, index):
    named = linears.pruned_linears(model)
    mlp = [named[f"model.layers.{index}.mlp.{name}_proj"] for name in MLP]
    return mlp, [named[f"model.layers.{index}.self_attn.{name}_proj"] for name in ATTENTION]


def _grads(model, index, grads):
    if not grads:
        return None, None
    mlp = tuple(grads[f"model.layers.{index}.mlp.{name}_proj"] for name in MLP)
    return mlp, tuple(grads[f"model.layers.{index}.self_attn.{name}_proj"] for name in ATTENTION)


def _best(importance, count):
    return importance.topk(count).indices.sort().values


@torch.no_grad()
def _prune(
    model, ratio, layers, criterion, batches=None, *, best=_best, grads=None, note=widths.note, blocks="both",
    score_groups=ours.kv_group_importance, shrink_groups=ours.shrink_attention,
    shrink_channels=ours.shrink_mlp,
):  # fmt: skip
    head_dim = model.config.head_dim
    if criterion == "taylor" and grads is None:
        grads = structured.gradients(model, batches, layers)
    generator = torch.Generator().manual_seed(3)
    before = widths.of_model(model)
    for index in layers:
        left = structured.narrowed(before[index], head_dim, ratio)
        (mlp, attention), (mlp_grads, attention_grads) = _linears(model, index), _grads(model, index, grads)
        if blocks != "attention":
            weights = [linear.weight for linear in mlp]
            score = ours.channel_importance(*weights, criterion, mlp_grads, generator)
            kept = best(score, left.channels).to(model.device)
            for linear, weight in zip(mlp, shrink_channels(*weights, kept), strict=True):
                widths.replace(linear, weight)
        if blocks != "mlp":
            weights, sizes = [linear.weight for linear in attention], (head_dim, before[index].kv_heads)
            score = score_groups(*weights, *sizes, criterion, attention_grads, generator)
            kept = best(score, left.kv_heads).to(model.device)
            for linear, weight in zip(attention, shrink_groups(*weights, kept, *sizes), strict=True):
                widths.replace(linear, weight)
    note(model)


def right_ours(model, ratio, layers, criterion, batches=None):
    ours.prune_blocks(model, ratio, layers, criterion, batches)


def right_own(model, ratio, layers, criterion, batches=None):
    _prune(model, ratio, layers, criterion, batches)


def right_deepest_first(model, ratio, layers, criterion, batches=None):
    _prune(model, ratio, layers[::-1], criterion, batches)


def right_on_a_copy_that_moves_in(model, ratio, layers, criterion, batches=None):
    """The weights are prepared elsewhere and moved in at the end."""
    smaller = copy.deepcopy(model)
    _prune(smaller, ratio, layers, criterion, batches)
    for index in range(len(model.model.layers)):
        for mine, theirs in zip(_linears(model, index), _linears(smaller, index), strict=True):
            for linear, other in zip(mine, theirs, strict=True):
                widths.replace(linear, other.weight.detach().clone())
    widths.note(model)


def right_one_big_batch_each(model, ratio, layers, criterion, batches=None):
    """Gradients of batches of one add up to a multiple of the big batch's."""
    _prune(model, ratio, layers, criterion, batches and [torch.cat(batches)])


def copies(model, ratio, layers, criterion, batches=None):
    """changes the model in place and returns None: your function returned"""
    smaller = copy.deepcopy(model)
    _prune(smaller, ratio, layers, criterion, batches)
    return smaller


def copies_and_forgets(model, ratio, layers, criterion, batches=None):
    """the model did not change"""
    _prune(copy.deepcopy(model), ratio, layers, criterion, batches)


@torch.no_grad()
def zeros(model, ratio, layers, criterion, batches=None):
    """the removed ones were set to zero"""

    def masked(matrices, keep, axes):
        for matrix, axis in zip(matrices, axes, strict=True):
            gone = torch.ones(matrix.shape[axis], dtype=torch.bool)
            gone[keep] = False
            matrix.movedim(axis, 0)[gone.to(matrix.device)] = 0

    before = widths.of_model(model)
    for index in layers:
        left = structured.narrowed(before[index], model.config.head_dim, ratio)
        weights = [linear.weight for linear in _linears(model, index)[0]]
        score = ours.channel_importance(*weights, "l1")
        masked(weights, _best(score, left.channels), (0, 0, 1))


def share_that_stays(model, ratio, layers, criterion, batches=None):
    """the ratio was taken for the share that stays"""
    _prune(model, 1 - ratio, layers, criterion, batches)


def config_left_alone(model, ratio, layers, criterion, batches=None):
    """the config still describes the dense model"""
    _prune(model, ratio, layers, criterion, batches, note=lambda _: None)


def config_by_first_layer(model, ratio, layers, criterion, batches=None):
    """the config says how wide each layer is"""

    def note(model):
        width = widths.of_model(model)[0]
        model.config.num_attention_heads, model.config.num_key_value_heads = width.heads, width.kv_heads
        model.config.intermediate_size = width.channels

    _prune(model, ratio, layers, criterion, batches, note=note)


def last_layer_left_out(model, ratio, layers, criterion, batches=None):
    """the last layer of the range was left out"""
    _prune(model, ratio, layers[:-1], criterion, batches)


def every_layer(model, ratio, layers, criterion, batches=None):
    """layers outside range(0, 1) were pruned"""
    _prune(model, ratio, range(len(model.model.layers)), criterion, batches)


def mlp_alone(model, ratio, layers, criterion, batches=None):
    """attention was left as it is"""
    _prune(model, ratio, layers, criterion, batches, blocks="mlp")


def attention_alone(model, ratio, layers, criterion, batches=None):
    """MLP was left as it is"""
    _prune(model, ratio, layers, criterion, batches, blocks="attention")


def most_important_removed(model, ratio, layers, criterion, batches=None):
    """the most important were removed"""
    _prune(model, ratio, layers, criterion, batches, best=lambda score, count: _best(-score, count))


def by_importance(model, ratio, layers, criterion, batches=None):
    """what is left stands in its old order"""
    _prune(model, ratio, layers, criterion, batches, best=lambda score, count: score.topk(count).indices)


def first_channels(model, ratio, layers, criterion, batches=None):
    """stayed, and one of"""
    _prune(model, ratio, layers, criterion, batches, best=lambda _, count: torch.arange(count))


def published_order(model, ratio, layers, criterion, batches=None):
    """scored with query heads that others serve"""

    def score_groups(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
        def turned(matrix):
            return matrix.view(-1, kv_heads, head_dim, matrix.shape[1]).transpose(0, 1).reshape(matrix.shape)

        slopes = grads and (turned(grads[0]), grads[1], grads[2], turned(grads[3].T.contiguous()).T)
        matrices = (turned(q), k, v, turned(o.T.contiguous()).T)
        return ours.kv_group_importance(*matrices, head_dim, kv_heads, criterion, slopes, generator)

    _prune(model, ratio, layers, criterion, batches, score_groups=score_groups)


def l1_whatever_is_asked(model, ratio, layers, criterion, batches=None):
    """ "l1" was used where "l2" was asked for"""
    _prune(model, ratio, layers, "l1", batches)


def l2_for_taylor(model, ratio, layers, criterion, batches=None):
    """ "l2" was used where "taylor" was asked for"""
    _prune(model, ratio, layers, "l2" if criterion == "taylor" else criterion, batches)


def last_batch_alone(model, ratio, layers, criterion, batches=None):
    """the last batch alone made the gradients"""
    _prune(model, ratio, layers, criterion, batches and batches[-1:])


def first_batch_alone(model, ratio, layers, criterion, batches=None):
    """the first batch alone made the gradients"""
    _prune(model, ratio, layers, criterion, batches and batches[:1])


def gradients_in_passing(model, ratio, layers, criterion, batches=None):
    """the gradients of later layers were taken after earlier layers had been pruned"""
    for index in layers:
        _prune(model, ratio, range(index, index + 1), criterion, batches)


def up_ranked_alone(model, ratio, layers, criterion, batches=None):
    """up and gate keep different ones"""

    def shrink(gate, up, down, keep):
        other = _best(up.abs().sum(dim=1), len(keep))
        return gate[keep], up[other], down[:, keep]

    _prune(model, ratio, layers, criterion, batches, shrink_channels=shrink)


def wrong_queries(model, ratio, layers, criterion, batches=None):
    """keeps other heads than k_proj"""

    def shrink(q, k, v, o, keep, head_dim, kv_heads):
        _, k, v, _ = ours.shrink_attention(q, k, v, o, keep, head_dim, kv_heads)
        heads = torch.arange(len(q), device=q.device) // head_dim % kv_heads
        stays = torch.isin(heads, keep)
        return q[stays], k, v, o[:, stays]

    _prune(model, ratio, layers, criterion, batches, shrink_groups=shrink)


def gate_alone(model, ratio, layers, criterion, batches=None):
    """up_proj is"""

    def shrink(gate, up, down, keep):
        return gate[keep], up, down

    _prune(model, ratio, layers, criterion, batches, shrink_channels=shrink)


def rescaled(model, ratio, layers, criterion, batches=None):
    """of gate_proj in layer 0 is not in the dense one"""

    def shrink(gate, up, down, keep):
        return gate[keep] * 1.01, up[keep], down[:, keep]

    _prune(model, ratio, layers, criterion, batches, shrink_channels=shrink)


def random_is_first(model, ratio, layers, criterion, batches=None):
    """the first channels stayed in every layer"""
    first = {"best": lambda _, count: torch.arange(count)} if criterion == "random" else {}
    _prune(model, ratio, layers, criterion, batches, **first)


def norms_folded(model, ratio, layers, criterion, batches=None):
    """model.norm.weight changed"""
    _prune(model, ratio, layers, criterion, batches)
    with torch.no_grad():
        model.model.norm.weight *= 2


def sizes_not_updated(model, ratio, layers, criterion, batches=None):
    """the config"""
    replace = widths.replace
    try:
        widths.replace = lambda linear, weight: setattr(linear, "weight", torch.nn.Parameter(weight))
        _prune(model, ratio, layers, criterion, batches)
    finally:
        widths.replace = replace


def may_end_empty(model, ratio, layers, criterion, batches=None):
    """a ratio of 1"""
    if ratio == 1:
        raise ValueError("nothing would be left")
    _prune(model, ratio, layers, criterion, batches)


def torch_prune_left_in(model, ratio, layers, criterion, batches=None):
    """keeps weight_orig beside its mask: torch's prune.remove"""
    _prune(model, ratio, layers, criterion, batches)
    for linear in linears.pruned_linears(model).values():
        prune.identity(linear, "weight")


def stored_sparse(model, ratio, layers, criterion, batches=None):
    """is stored as torch.sparse_coo"""
    _prune(model, ratio, layers, criterion, batches)
    for linear in linears.pruned_linears(model).values():
        linear.weight = nn.Parameter(linear.weight.detach().to_sparse(), requires_grad=False)


def quantised(model, ratio, layers, criterion, batches=None):
    """the weight of a layer is changed in place"""
    _prune(model, ratio, layers, criterion, batches)
    torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, inplace=True)


def as_buffers(model, ratio, layers, criterion, batches=None):
    """the weight of a layer is changed in place"""
    _prune(model, ratio, layers, criterion, batches)
    for linear in linears.pruned_linears(model).values():
        weight = linear.weight.detach()
        del linear.weight
        linear.register_buffer("weight", weight)


def in_half_precision(model, ratio, layers, criterion, batches=None):
    """model.embed_tokens.weight is now torch.float16"""
    _prune(model, ratio, layers, criterion, batches)
    model.half()


def new_bias(model, ratio, layers, criterion, batches=None):
    """down_proj.bias is new"""
    _prune(model, ratio, layers, criterion, batches)
    for linear in linears.pruned_linears(model).values():
        linear.bias = nn.Parameter(torch.zeros(linear.out_features), requires_grad=False)


def new_module(model, ratio, layers, criterion, batches=None):
    """adapter.weight is new"""
    _prune(model, ratio, layers, criterion, batches)
    model.model.layers[0].adapter = nn.Linear(4, 4, bias=False)


def no_layers_left(model, ratio, layers, criterion, batches=None):
    """the layers cannot be read any more: IndexError"""
    _prune(model, ratio, layers, criterion, batches)
    model.model.layers = nn.ModuleList()


def config_gone(model, ratio, layers, criterion, batches=None):
    """the config says how wide each layer is: hidden_size is missing"""
    _prune(model, ratio, layers, criterion, batches)
    model.config = None


def not_written(model, ratio, layers, criterion, batches=None):
    """not written yet"""
    raise NotImplementedError()
