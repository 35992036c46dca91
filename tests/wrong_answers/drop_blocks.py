"""Answers to drop_blocks. A wrong one's docstring is the phrase that must name its mistake."""

import copy

import torch
from torch import nn
from torch.nn.utils import prune

from labsupport.given import depth as ours
from labsupport.linears import pruned_linears

LISTS = ("layer_types", "layer_widths")


def _renumber(model):
    for place, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = place


def _note(model, keep, lists=LISTS):
    model.config.num_hidden_layers = len(keep)
    for name in lists:
        if listed := getattr(model.config, name, None):
            setattr(model.config, name, [listed[index] for index in keep])


def _first(model, keep, name):
    if listed := getattr(model.config, name, None):
        setattr(model.config, name, listed[: len(keep)])


def _choose(model, keep):
    model.model.layers = nn.ModuleList([model.model.layers[index] for index in keep])


def right_ours(model, keep):
    return ours.drop_blocks(model, keep)


def right_deletes_from_the_back(model, keep):
    for index in reversed(range(len(model.model.layers))):
        if index not in keep:
            del model.model.layers[index]
    _renumber(model)
    _note(model, keep)


def right_copies_move_in(model, keep):
    """Every block that stays is a copy with its new number."""
    blocks = [copy.deepcopy(model.model.layers[index]) for index in keep]
    for place, block in enumerate(blocks):
        block.self_attn.layer_idx = place
    model.model.layers = nn.ModuleList(blocks)
    _note(model, keep)


def right_weights_move_down(model, keep):
    """The first blocks take over the weights and sizes of those that stay, and the last ones go."""
    chosen = [copy.deepcopy(model.model.layers[index]) for index in keep]
    for place, block in enumerate(chosen):
        block.self_attn.layer_idx = place
        model.model.layers[place] = block
    del model.model.layers[len(keep) :]
    _note(model, keep)


def right_from_a_new_model(model, keep):
    """A smaller model is built from a config, and its insides move in."""
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = len(keep)
    for name in LISTS:
        if listed := getattr(config, name, None):
            setattr(config, name, [listed[index] for index in keep])
    smaller = type(model)(config).eval().requires_grad_(False)
    state = model.state_dict()
    names = {f"model.layers.{index}.": f"model.layers.{place}." for place, index in enumerate(keep)}
    chosen = {name: weight for name, weight in state.items() if "layers" not in name}
    for name, weight in state.items():
        for old, new in names.items():
            if name.startswith(old):
                chosen[name.replace(old, new)] = weight
    smaller.load_state_dict(chosen)
    model.model, model.lm_head, model.config = smaller.model, smaller.lm_head, smaller.config
    model.tie_weights()


def empties_keep(model, keep):
    """your function changed keep in place"""
    right_ours(model, keep)
    keep.clear()


def left_in_training_mode(model, keep):
    """your function leaves it in training mode"""
    right_ours(model.train(), keep)


def numbers_left_alone(model, keep):
    """the blocks keep their old numbers"""
    _choose(model, keep)
    _note(model, keep)


def config_left_alone(model, keep):
    """the config still says how many blocks there were"""
    _choose(model, keep)
    _renumber(model)


def list_alone(model, keep):
    """the config still says how many blocks there were"""
    _choose(model, keep)


def types_left_alone(model, keep):
    """layer_types of the config still lists all blocks"""
    _choose(model, keep)
    _renumber(model)
    _note(model, keep, ["layer_widths"])


def widths_left_alone(model, keep):
    """layer_widths of the config still lists all blocks"""
    _choose(model, keep)
    _renumber(model)
    _note(model, keep, ["layer_types"])


def first_types(model, keep):
    """layer_types of the config is not the list of the blocks that stay"""
    types_left_alone(model, keep)
    _first(model, keep, "layer_types")


def first_widths(model, keep):
    """layer_widths of the config is not the list of the blocks that stay"""
    widths_left_alone(model, keep)
    _first(model, keep, "layer_widths")


def dropped_are_kept(model, keep):
    """the blocks of `keep` were dropped"""
    others = [index for index in range(len(model.model.layers)) if index not in keep]
    right_deletes_from_the_back(model, others)


def first_blocks(model, keep):
    """the first blocks stayed"""
    model.model.layers = model.model.layers[: len(keep)]
    _renumber(model)
    _note(model, keep)


def deletes_from_the_front(model, keep):
    """blocks were deleted one after the other from the front"""
    for index in [index for index in range(len(model.model.layers)) if index not in keep]:
        del model.model.layers[index : index + 1]
    _renumber(model)
    _note(model, keep)


def another_order(model, keep):
    """the blocks changed places"""
    model.model.layers = nn.ModuleList([model.model.layers[index] for index in reversed(keep)])
    _renumber(model)
    _note(model, keep)


def copies(model, keep):
    """changes the model in place and returns None"""
    smaller = copy.deepcopy(model)
    right_deletes_from_the_back(smaller, keep)
    return smaller


def copies_and_forgets(model, keep):
    """the model stayed as it came"""
    right_deletes_from_the_back(copy.deepcopy(model), keep)


class _Through(nn.Module):
    """Passes its input on."""

    def forward(self, hidden, **_more):
        return hidden


def passed_through(model, keep):
    """other modules stand where blocks were"""
    for index in range(len(model.model.layers)):
        if index not in keep:
            model.model.layers[index] = _Through()


@torch.no_grad()
def silenced(model, keep):
    """the others still stand there, with other weights"""
    for index, layer in enumerate(model.model.layers):
        if index not in keep:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()


def plain_list(model, keep):
    """a plain list was put where a ModuleList stands"""
    model.model.layers = [model.model.layers[index] for index in keep]


def norm_scaled(model, keep):
    """model.norm.weight changed"""
    right_deletes_from_the_back(model, keep)
    with torch.no_grad():
        model.model.norm.weight *= 2


def torch_prune_left_in(model, keep):
    """keeps weight_orig beside its mask: torch's prune.remove"""
    ours.drop_blocks(model, keep)
    for linear in pruned_linears(model).values():
        prune.identity(linear, "weight")


def stored_sparse(model, keep):
    """is stored as torch.sparse_coo"""
    ours.drop_blocks(model, keep)
    for linear in pruned_linears(model).values():
        linear.weight = nn.Parameter(linear.weight.detach().to_sparse(), requires_grad=False)


def in_half_precision(model, keep):
    """model.layers.0.self_attn.q_proj.weight is now torch.float16"""
    ours.drop_blocks(model, keep)
    model.half()


def config_gone(model, keep):
    """the config says how many blocks there are, and of which type: hidden_size is None"""
    ours.drop_blocks(model, keep)
    model.config = None


def deletes_while_looping(model, keep):
    """blocks were deleted while a loop ran over them"""
    for index, _ in enumerate(model.model.layers):
        if index not in keep:
            del model.model.layers[index]


def numbers_from_1(model, keep):
    """or begin with 1"""
    right_ours(model, keep)
    for place, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = place + 1


def beside_the_blocks(model, keep):
    """the model stayed as it came"""
    model.layers = torch.nn.ModuleList([model.model.layers[index] for index in keep])


def every_config_has_types(model, keep):
    """Not every config has this list"""
    right_ours(model, keep)
    model.config.layer_widths = [model.config.layer_widths[index] for index in keep]


def not_written(model, keep):
    """not written yet"""
    raise NotImplementedError()
