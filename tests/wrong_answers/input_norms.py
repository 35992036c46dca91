"""Answers to input_norms. A wrong one's docstring is the phrase that must name its mistake."""

from functools import partial

import torch
from torch import nn
from torch.nn.utils import prune

from labsupport.linears import pruned_linears


def _squares(x):
    return x.detach().float().flatten(0, -2).square().sum(dim=0)


@torch.no_grad()
def _measure(model, batches, add, watched=None, *, finish=torch.sqrt, register="register_forward_pre_hook"):
    """add(sums, name, x) takes what a hook sees."""
    sums, handles = {}, []

    def hook(name):
        def see(_module, inputs, *output):
            add(sums, name, output[0] if output else inputs[0])

        return see

    try:
        for name, module in (watched or pruned_linears(model)).items():
            handles.append(getattr(module, register)(hook(name)))
        for batch in batches:
            model(batch.to(model.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return {name: finish(value) for name, value in sums.items()}


def _accumulate(sums, name, x):
    sums[name] = sums.get(name, 0) + _squares(x)


def right_closure(model, batches):
    return _measure(model, batches, _accumulate)


def right_forward_hook(model, batches):
    linears = pruned_linears(model)
    sums = {name: torch.zeros(linear.in_features, device=model.device) for name, linear in linears.items()}

    def see(name, _module, inputs, _output):
        sums[name] += _squares(inputs[0])

    handles = [linear.register_forward_hook(partial(see, name)) for name, linear in linears.items()]
    training = model.training
    try:
        model.eval()
        with torch.no_grad():
            for batch in batches:
                for window in batch:  # one window at a time
                    model.model(window[None].to(model.device))
    finally:
        model.train(training)
        [handle.remove() for handle in handles]
    return {name: total.sqrt() for name, total in sums.items()}


def right_bound_default(model, batches):
    sums, handles = {}, []
    for name, linear in pruned_linears(model).items():
        sums[name] = torch.zeros(linear.in_features, dtype=torch.float64, device=model.device)
        see = lambda _module, inputs, name=name: sums.update({name: sums[name] + _squares(inputs[0])})  # noqa: E731
        handles.append(linear.register_forward_pre_hook(see))
    try:
        for batch in list(batches):
            model(batch.to(model.device))
    finally:
        for handle in handles:
            handle.remove()
    return {name: total.sqrt().float() for name, total in sums.items()}


def _adder(total):
    def see(_module, inputs):
        total.add_(_squares(inputs[0]))

    return see


def right_shared_inputs(model, batches):
    """q, k and v see one input: one hook serves the three, and one serves gate and up."""
    lead = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
    linears = pruned_linears(model)
    watched = {name: linear for name, linear in linears.items() if name.rsplit(".", 1)[-1] not in lead}
    found = _measure(model, batches, _accumulate, watched)
    for name in linears:
        stem, kind = name.rsplit(".", 1)
        found[name] = found[f"{stem}.{lead.get(kind, kind)}"].clone()
    return found


def right_hypot(model, batches):
    def add(norms, name, x):
        norm = x.float().flatten(0, -2).norm(dim=0)
        norms[name] = torch.hypot(norms[name], norm) if name in norms else norm

    return _measure(model, batches, add, finish=torch.clone)


def right_sums_by_batch(model, batches):
    def add(sums, name, x):
        sums.setdefault(name, []).append(_squares(x))

    return _measure(model, batches, add, finish=lambda each: torch.stack(each).sum(dim=0).sqrt())


def outputs(model, batches):
    """watched the outputs"""
    return _measure(model, batches, _accumulate, register="register_forward_hook")


def late_name(model, batches):
    """the hook reads the loop's variable late"""
    sums, handles = {}, []
    for name, linear in pruned_linears(model).items():
        sums[name] = torch.zeros(linear.in_features, device=model.device)

        def see(_module, inputs):
            sums[name] += _squares(inputs[0])  # noqa: B023

        handles.append(linear.register_forward_pre_hook(see))
    try:
        for batch in batches:
            model(batch.to(model.device))
    finally:
        for handle in handles:
            handle.remove()
    return {name: total.sqrt() for name, total in sums.items()}


def late_name_replaced(model, batches):
    """All norms landed under the last name"""
    sums, handles = {}, []
    for name, linear in pruned_linears(model).items():
        handles.append(
            linear.register_forward_pre_hook(lambda _m, x: sums.update({name: _squares(x[0])}))  # noqa: B023
        )
    try:
        for batch in batches:
            model(batch.to(model.device))
    finally:
        for handle in handles:
            handle.remove()
    return {name: total.sqrt() for name, total in sums.items()}


def no_root(model, batches):
    """These are sums of squares"""
    return _measure(model, batches, _accumulate, finish=torch.clone)


def mean_over_windows(model, batches):
    """divided by the number of windows"""
    windows = []

    def counted():
        for batch in batches:
            windows.append(len(batch))
            yield batch

    return {name: norm / sum(windows) ** 0.5 for name, norm in right_closure(model, counted()).items()}


def mean_over_tokens(model, batches):
    """divided by the number of tokens"""
    tokens = []

    def counted():
        for batch in batches:
            tokens.append(batch.numel())
            yield batch

    return {name: norm / sum(tokens) ** 0.5 for name, norm in right_closure(model, counted()).items()}


def mean_of_each_batch(model, batches):
    """averaged over its tokens"""

    def add(sums, name, x):
        sums[name] = sums.get(name, 0) + x.float().flatten(0, -2).square().mean(dim=0)

    return _measure(model, batches, add)


def norms_added(model, batches):
    """each batch's norms were added"""

    def add(sums, name, x):
        sums[name] = sums.get(name, 0) + _squares(x).sqrt()

    return _measure(model, batches, add, finish=torch.clone)


def last_batch(model, batches):
    """the last batch alone"""
    return _measure(model, batches, lambda sums, name, x: sums.update({name: _squares(x)}))


def first_batch(model, batches):
    """the first batch alone"""
    return right_closure(model, [next(iter(batches))])


def counts_first(model, batches):
    """All norms are zero"""
    tokens = sum(batch.numel() for batch in batches)
    zero = {name: torch.zeros(linear.in_features) for name, linear in pruned_linears(model).items()}
    return zero | (right_closure(model, batches) if tokens else {})


def head_too(model, batches):
    """The head is a Linear too"""
    watched = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    return _measure(model, batches, _accumulate, watched)


def norm_layers_too(model, batches):
    """More was watched than is pruned"""
    kinds = ("proj", "norm")
    watched = {name: module for name, module in model.named_modules() if name.endswith(kinds)}
    return _measure(model, batches, _accumulate, watched)


def short_names(model, batches):
    """the names inside model.model"""
    return {name.removeprefix("model."): norm for name, norm in right_closure(model, batches).items()}


def attention_only(model, batches):
    """6 of 14 are missing, the first is model.layers.0.mlp.gate_proj"""
    linears = pruned_linears(model)
    return _measure(model, batches, _accumulate, {name: linears[name] for name in linears if "attn" in name})


def hooks_stay(model, batches):
    """the hook stays until handle.remove()"""
    totals = {}
    for name, linear in pruned_linears(model).items():
        totals[name] = torch.zeros(linear.in_features, device=model.device)
        linear.register_forward_pre_hook(_adder(totals[name]))
    for batch in batches:
        model(batch.to(model.device))
    return {name: total.sqrt() for name, total in totals.items()}


def hooks_stay_after_an_error(model, batches):
    """Lines under finally: always run"""
    totals, handles = {}, []
    for name, linear in pruned_linears(model).items():
        totals[name] = torch.zeros(linear.in_features, device=model.device)
        handles.append(linear.register_forward_pre_hook(_adder(totals[name])))
    for batch in batches:
        model(batch.to(model.device))
    for handle in handles:
        handle.remove()
    return {name: total.sqrt() for name, total in totals.items()}


def swallows_the_error(model, batches):
    """finally: lets it pass, except: stops it"""
    try:
        return right_closure(model, batches)
    except RuntimeError:
        return {}


def half_sums(model, batches):
    """kept in the precision of the model"""

    def add(sums, name, x):
        sums[name] = sums.get(name, 0) + x.flatten(0, -2).square().sum(dim=0)

    return _measure(model, batches, add)


def half_batches(model, batches):
    """float16 ends at 65504"""

    def add(sums, name, x):
        sums[name] = sums.get(name, 0) + x.flatten(0, -2).square().sum(dim=0).float()

    return _measure(model, batches, add)


def collects_inputs(model, batches):
    """activations are collected"""

    def add(inputs, name, x):
        inputs.setdefault(name, []).append(x.flatten(0, -2))

    return _measure(model, batches, add, finish=lambda every: torch.cat(every).float().norm(dim=0))


def concatenates_inputs(model, batches):
    """KiB of tensors behind"""

    def add(inputs, name, x):
        x = x.float().flatten(0, -2)
        inputs[name] = torch.cat([inputs[name], x]) if name in inputs else x

    return _measure(model, batches, add, finish=lambda every: every.norm(dim=0))


def collects_squares(model, batches):
    """add it up inside the hook"""

    def add(inputs, name, x):
        inputs.setdefault(name, []).extend(x.float().square().flatten(0, -2))

    return _measure(model, batches, add, finish=lambda every: torch.stack(every).sum(dim=0).sqrt())


def layer_by_layer(model, batches):
    """one pass: every token goes through the model once"""
    batches, found = list(batches), {}
    for name, linear in pruned_linears(model).items():
        found |= _measure(model, batches, _accumulate, {name: linear})
    return found


def leaves_evaluation_mode(model, batches):
    """leaves it in evaluation mode"""
    model.eval()
    return right_closure(model, batches)


def leaves_training_mode(model, batches):
    """leaves it in training mode"""
    found = right_closure(model, batches)
    model.train()
    return found


def changes_weights(model, batches):
    """in place"""
    found = right_closure(model, batches)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] += 1
    return found


def a_list(model, batches):
    """it is a list"""
    return list(right_closure(model, batches).values())


def single_norms(model, batches):
    """that of model.layers.0.self_attn.q_proj is ()"""
    return {name: norm.norm() for name, norm in right_closure(model, batches).items()}


def forgets_return(model, batches):
    """is a return missing?"""
    right_closure(model, batches)


class _Listening(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base, self.total = base, 0
        self.in_features, self.out_features = base.in_features, base.out_features

    def forward(self, x):
        self.total = self.total + _squares(x)
        return self.base(x)


class _Same(nn.Linear):
    """A Linear of another class, which has the weight of the first."""


def _put(model, name, module):
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


def listening_layers_stay(model, batches):
    """layers of the model were replaced or removed, and stayed so"""
    found = pruned_linears(model)
    for name, linear in found.items():
        _put(model, name, _Listening(linear))
    with torch.no_grad():
        for batch in batches:
            model(batch.to(model.device))
    return {name: model.get_submodule(name).total.sqrt() for name in found}


def a_layer_deleted(model, batches):
    """model.layers.1.mlp.up_proj was replaced or is gone"""
    norms = right_closure(model, batches)
    del model.model.layers[1].mlp.up_proj
    return norms


def another_class_stays(model, batches):
    """model.layers.1.mlp.up_proj was replaced or is gone"""
    norms = right_closure(model, batches)
    old = model.model.layers[1].mlp.up_proj
    new = _Same(old.in_features, old.out_features, bias=False)
    new.weight = old.weight
    model.model.layers[1].mlp.up_proj = new
    return norms


def forward_stays_replaced(model, batches):
    """layers of the model were replaced or removed, and stayed so"""
    norms = right_closure(model, batches)
    for linear in pruned_linears(model).values():
        linear.forward = lambda x, forward=linear.forward: forward(x)
    return norms


def torch_prune_left_in(model, batches):
    """14 are still there"""
    norms = right_closure(model, batches)
    for linear in pruned_linears(model).values():
        prune.identity(linear, "weight")
    return norms


def new_module(model, batches):
    """layers of the model were replaced or removed, and stayed so"""
    norms = right_closure(model, batches)
    model.model.layers[0].norms = torch.nn.Linear(4, 4, bias=False)
    return norms


def the_tuple_itself(model, batches):
    """A hook gets the inputs of its layer as a tuple"""
    return _measure(model, batches, lambda sums, name, x: _accumulate(sums, name, (x,)))


def counts_batches(model, batches):
    """batches may be a generator, which has neither a length nor a first element"""
    return right_closure(model, [batches[place] for place in range(len(batches))])


def last_names(model, batches):
    """your keys q_proj, k_proj, v_proj, ... (7 in all) wanted keys model.layers.0.self_attn.q_proj,"""
    return {name.split(".")[-1]: norm for name, norm in right_closure(model, batches).items()}


def clears_all_hooks(model, batches):
    """but another's, there before, is gone"""
    norms = right_closure(model, batches)
    for module in model.modules():
        module._forward_pre_hooks.clear()
    return norms


def not_written(model, batches):
    """not written yet"""
    raise NotImplementedError()
