"""Answers to recover. A wrong one's docstring is the phrase that must name its mistake."""

import itertools

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from labsupport.given import lora as ours
from labsupport.linears import apply_masks, pruned_linears


def _masks(model):
    return {name: linear.weight != 0 for name, linear in pruned_linears(model).items()}


def _wrapped(model, **options):
    options = {"r": 8, "lora_alpha": 16, "target_modules": list(pruned_linears(model)), **options}
    return get_peft_model(model, LoraConfig(**options)).train()


def _loss(model, batch):
    return model(input_ids=batch, labels=batch).loss


def _train(model, batches, steps, learning_rate, loss=_loss, optimizer=torch.optim.AdamW, value=float):
    learner = optimizer([w for w in model.parameters() if w.requires_grad], lr=learning_rate)
    losses = []
    for batch in itertools.islice(itertools.cycle(batches), steps):
        found = loss(model, batch.to(model.device))
        found.backward()
        learner.step()
        learner.zero_grad()
        losses.append(value(found.detach()))
    return losses


def _recover(model, batches, steps, learning_rate, lora=None, **options):
    masks = _masks(model)
    lora = _wrapped(model, **(lora or {}))
    losses = _train(lora, batches, steps, learning_rate, **options)
    lora.merge_and_unload()
    apply_masks(model, masks)
    return losses


def right_short(model, batches, steps, learning_rate):
    return _recover(model, batches, steps, learning_rate)


def right_ours(model, batches, steps, learning_rate):
    return ours.recover(model, batches, steps, learning_rate)


def right_with_dropout(model, batches, steps, learning_rate):
    return _recover(model, batches, steps, learning_rate, {"lora_dropout": 0.1, "lora_alpha": 8})


def right_kinds_by_name(model, batches, steps, learning_rate):
    kinds = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return _recover(model, batches, steps, learning_rate, {"target_modules": kinds, "r": 4})


def right_other_order(model, batches, steps, learning_rate):
    order = [batches[place] for place in torch.randperm(len(batches))]
    return _recover(model, order, steps, learning_rate, optimizer=torch.optim.Adam)


def right_by_hand(model, batches, steps, learning_rate):
    def shifted(lora, batch):
        logits = lora(input_ids=batch).logits[:, :-1]
        return functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())

    return _recover(model, batches, steps, learning_rate, loss=shifted)


def no_lora(model, batches, steps, learning_rate):
    """the model was trained without LoRA"""
    return _train(model, batches, steps, learning_rate)


def everything_trained(model, batches, steps, learning_rate):
    """the base was trained too"""
    masks = _masks(model)
    losses = _train(model.requires_grad_(True), batches, steps, learning_rate)
    apply_masks(model, masks)
    return losses


def base_and_lora(model, batches, steps, learning_rate):
    """the base was trained too"""
    masks = _masks(model)
    lora = _wrapped(model)
    lora.requires_grad_(True)
    losses = _train(lora, batches, steps, learning_rate)
    lora.merge_and_unload()
    apply_masks(model, masks)
    return losses


def linears_trained(model, batches, steps, learning_rate):
    """the weights themselves were trained"""
    masks = _masks(model)
    for linear in pruned_linears(model).values():
        linear.weight.requires_grad_(True)
    losses = _train(model, batches, steps, learning_rate)
    apply_masks(model, masks)
    return losses


def embeddings_trained(model, batches, steps, learning_rate):
    """model.embed_tokens.weight changed"""
    masks = _masks(model)
    lora = _wrapped(model)
    model.get_input_embeddings().weight.requires_grad_(True)
    losses = _train(lora, batches, steps, learning_rate)
    lora.merge_and_unload()
    apply_masks(model, masks)
    return losses


def fills_the_zeros(model, batches, steps, learning_rate):
    """the masks were forgotten in the merge"""
    lora = _wrapped(model)
    losses = _train(lora, batches, steps, learning_rate)
    lora.merge_and_unload()
    return losses


def never_merged(model, batches, steps, learning_rate):
    """the adapters were never merged"""
    return _train(_wrapped(model), batches, steps, learning_rate)


def merged_in_place(model, batches, steps, learning_rate):
    """adapter weights are left in the model"""
    lora = _wrapped(model)
    losses = _train(lora, batches, steps, learning_rate)
    lora.merge_adapter()
    return losses


def unloaded(model, batches, steps, learning_rate):
    """the adapters were taken out without being merged"""
    lora = _wrapped(model)
    losses = _train(lora, batches, steps, learning_rate)
    lora.unload()
    return losses


def two_kinds(model, batches, steps, learning_rate):
    """no LoRA matrices stood beside down_proj, gate_proj, k_proj, o_proj, up_proj"""
    return _recover(model, batches, steps, learning_rate, {"target_modules": ["q_proj", "v_proj"]})


def gradients_cleared_too_early(model, batches, steps, learning_rate):
    """no step moved the LoRA matrices"""

    class Early(torch.optim.AdamW):
        def step(self, closure=None):
            self.zero_grad()
            super().step(closure)

    return _recover(model, batches, steps, learning_rate, optimizer=Early)


class _Beside(torch.nn.Module):
    """A frozen Linear and two thin matrices, without peft."""

    def __init__(self, linear):
        super().__init__()
        device, rank = linear.weight.device, 8
        self.linear = linear.requires_grad_(False)
        self.a = torch.nn.Parameter(torch.randn(rank, linear.in_features, device=device) / rank)
        self.b = torch.nn.Parameter(torch.zeros(linear.out_features, rank, device=device))

    def forward(self, x):
        return self.linear(x) + x @ self.a.T @ self.b.T


def right_without_peft(model, batches, steps, learning_rate):
    names = [name.rpartition(".") for name in pruned_linears(model)]
    places = [(model.get_submodule(parent), name) for parent, _, name in names]
    for parent, name in places:
        setattr(parent, name, _Beside(getattr(parent, name)))
    losses = _train(model, batches, steps, learning_rate)
    for parent, name in places:
        beside = getattr(parent, name)
        with torch.no_grad():
            beside.linear.weight += beside.b @ beside.a * (beside.linear.weight != 0)
        setattr(parent, name, beside.linear)
    return losses


def tensors(model, batches, steps, learning_rate):
    """it is a tensor; .item() makes it a Python number"""
    return _recover(model, batches, steps, learning_rate, value=lambda loss: loss)


def one_pass(model, batches, steps, learning_rate):
    """each batch was used once"""
    return _recover(model, batches, min(steps, len(batches)), learning_rate)


def all_batches_a_step(model, batches, steps, learning_rate):
    """yours has 160, for 40 steps and 4 batches"""
    return _recover(model, batches, steps * len(batches), learning_rate)


def own_learning_rate(model, batches, steps, learning_rate):
    """the given learning_rate was not used"""
    return _recover(model, batches, steps, 0.01)


def diverges(model, batches, steps, learning_rate):
    """every loss is a finite Python number"""
    return _recover(model, batches, steps, learning_rate * 1e30, optimizer=torch.optim.SGD)


def uphill(model, batches, steps, learning_rate):
    """the first loss is that of the pruned model"""
    return _recover(model, batches, steps, learning_rate, loss=lambda lora, batch: -_loss(lora, batch))


def double_shift(model, batches, steps, learning_rate):
    """the labels were shifted twice"""

    def shifted_twice(lora, batch):
        return lora(input_ids=batch[:, :-1], labels=batch[:, 1:]).loss

    return _recover(model, batches, steps, learning_rate, loss=shifted_twice)


def no_zero_grad(model, batches, steps, learning_rate):
    """zero_grad"""
    masks, lora, losses = _masks(model), _wrapped(model), []
    learner = torch.optim.AdamW([w for w in lora.parameters() if w.requires_grad], lr=learning_rate)
    for batch in itertools.islice(itertools.cycle(batches), steps):
        loss = _loss(lora, batch.to(model.device))
        loss.backward()
        learner.step()
        losses.append(loss.item())
    lora.merge_and_unload()
    apply_masks(model, masks)
    return losses


def running_sum(model, batches, steps, learning_rate):
    """the first loss is that of the pruned model"""
    return list(itertools.accumulate(_recover(model, batches, steps, learning_rate)))[::-1]


def made_up(model, batches, steps, learning_rate):
    """the first loss is that of the pruned model"""
    return [1.0 / (step + 1) for step in range(steps)]


def nothing_learned(model, batches, steps, learning_rate):
    """what was learned is not in the model"""
    with torch.no_grad():
        return [_loss(model, batches[0].to(model.device)).item()] * steps


def half_precision(model, batches, steps, learning_rate):
    """of torch.bfloat16"""
    return _recover(model.bfloat16(), batches, steps, learning_rate)


def returns_the_last(model, batches, steps, learning_rate):
    """your function returned a float"""
    return _recover(model, batches, steps, learning_rate)[-1]


def returns_nothing(model, batches, steps, learning_rate):
    """is a return missing?"""
    _recover(model, batches, steps, learning_rate)


def batch_of_the_step(model, batches, steps, learning_rate):
    """there may be fewer batches than steps"""
    return _recover(model, [batches[step] for step in range(steps)], steps, learning_rate)


def trains_the_frozen_model(model, batches, steps, learning_rate):
    """the loss came from the frozen model alone"""
    model.requires_grad_(False)
    _loss(model, batches[0].to(model.device)).backward()


def torch_prune_left_in(model, batches, steps, learning_rate):
    """keeps weight_orig beside its mask: torch's prune.remove"""
    losses = _recover(model, batches, steps, learning_rate)
    for linear in pruned_linears(model).values():
        prune.identity(linear, "weight")
    return losses


def stored_sparse(model, batches, steps, learning_rate):
    """is no dense tensor of the model any more"""
    losses = _recover(model, batches, steps, learning_rate)
    for linear in pruned_linears(model).values():
        linear.weight = nn.Parameter(linear.weight.detach().to_sparse(), requires_grad=False)
    return losses


def as_buffers(model, batches, steps, learning_rate):
    """the weight of a layer is changed in place"""
    losses = right_ours(model, batches, steps, learning_rate)
    for linear in pruned_linears(model).values():
        weight = linear.weight.detach()
        del linear.weight
        linear.register_buffer("weight", weight)
    return losses


def masks_before_the_merge(model, batches, steps, learning_rate):
    """the masks were applied while the adapters stood in the model"""
    masks = _masks(model)
    _wrapped(model)
    apply_masks(model, masks)


def not_written(model, batches, steps, learning_rate):
    """not written yet"""
    raise NotImplementedError()
