"""Answers to distill. A wrong one's docstring is the phrase that must name its mistake."""

import itertools

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from labsupport.given import distillation as ours
from labsupport.linears import pruned_linears


def _kl(student_logits, teacher_logits, token_ids, temperature):
    student, teacher = (
        (each[:, :-1].float() / temperature).log_softmax(dim=-1).flatten(0, 1)
        for each in (student_logits, teacher_logits.detach())
    )
    return temperature**2 * functional.kl_div(student, teacher, reduction="batchmean", log_target=True)


def _wrapped(student, **options):
    options = {"r": 8, "lora_alpha": 16, "target_modules": list(pruned_linears(student)), **options}
    return get_peft_model(student, LoraConfig(**options)).train()


def _train(
    model, teacher, batches, steps, learning_rate, loss=_kl, temperature=2.0, weights=None,
    optimizer=torch.optim.AdamW, value=float, learns=False,
):  # fmt: skip
    trained = weights or [weight for weight in model.parameters() if weight.requires_grad]
    learner = optimizer(trained, lr=learning_rate)
    losses = []
    for batch in itertools.islice(itertools.cycle(batches), steps):
        batch = batch.to(model.device)
        with torch.set_grad_enabled(learns):
            wanted = teacher(input_ids=batch).logits
        found = loss(model(input_ids=batch).logits, wanted, batch, temperature)
        found.backward()
        learner.step()
        learner.zero_grad()
        losses.append(value(found.detach()))
    return losses


def _distill(student, teacher, batches, steps, learning_rate, lora=None, **options):
    wrapped = _wrapped(student, **(lora or {}))
    losses = _train(wrapped, teacher, batches, steps, learning_rate, **options)
    wrapped.merge_and_unload()
    return losses


def right_short(student, teacher, batches, steps, learning_rate):
    return _distill(student, teacher, batches, steps, learning_rate)


def right_ours(student, teacher, batches, steps, learning_rate):
    return ours.distill(student, teacher, batches, steps, learning_rate)


def right_with_dropout(student, teacher, batches, steps, learning_rate):
    return _distill(student, teacher, batches, steps, learning_rate, {"lora_dropout": 0.05})


def right_teacher_once(student, teacher, batches, steps, learning_rate):
    """The teacher answers every batch once, before the training; kinds by name, rank 4, Adam."""
    with torch.no_grad():
        answers = {id(batch): teacher(input_ids=batch.to(teacher.device)).logits for batch in batches}
    kinds = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    lora = _wrapped(student, target_modules=kinds, r=4)
    learner = torch.optim.Adam([w for w in lora.parameters() if w.requires_grad], lr=learning_rate)
    losses = []
    for step in range(steps):
        batch = batches[step % len(batches)]
        learner.zero_grad()
        loss = _kl(lora(input_ids=batch.to(student.device)).logits, answers[id(batch)], batch, 2.0)
        loss.backward()
        learner.step()
        losses.append(loss.item())
    lora.merge_and_unload()
    return losses


def right_keeps_the_zeros(student, teacher, batches, steps, learning_rate):
    """As in lab 06: a weight that is zero stays zero."""
    masks = {name: linear.weight != 0 for name, linear in pruned_linears(student).items()}
    losses = _distill(student, teacher, batches, steps, learning_rate)
    with torch.no_grad():
        for name, linear in pruned_linears(student).items():
            linear.weight.mul_(masks[name])
    return losses


def right_other_order(student, teacher, batches, steps, learning_rate):
    order = [batches[place] for place in torch.randperm(len(batches))]
    return _distill(student, teacher, order, steps, learning_rate)


def one_batch(student, teacher, batches, steps, learning_rate):
    """every step took the same batch"""
    return _distill(student, teacher, batches[:1], steps, learning_rate)


def loss_turned_round(student, teacher, batches, steps, learning_rate):
    """the sign of the loss is turned round"""
    return _distill(student, teacher, batches, steps, learning_rate, loss=lambda *given: -_kl(*given))


def by_labels(student, teacher, batches, steps, learning_rate):
    """the labels taught the student"""

    def loss(student_logits, teacher_logits, token_ids, temperature):
        guesses = student_logits[:, :-1].flatten(0, 1)
        return functional.cross_entropy(guesses, token_ids[:, 1:].flatten())

    return _distill(student, teacher, batches, steps, learning_rate, loss=loss)


def changed_places(student, teacher, batches, steps, learning_rate):
    """student and teacher changed places"""

    def loss(student_logits, teacher_logits, token_ids, temperature):
        student, teacher = (
            (each[:, :-1].float() / temperature).log_softmax(dim=-1)
            for each in (student_logits, teacher_logits)
        )
        return temperature**2 * (student.exp() * (student - teacher)).sum(dim=-1).mean()

    return _distill(student, teacher, batches, steps, learning_rate, loss=loss)


def cold(student, teacher, batches, steps, learning_rate):
    """the temperature is 1"""
    return _distill(student, teacher, batches, steps, learning_rate, temperature=1.0)


def without_the_factor(student, teacher, batches, steps, learning_rate):
    """the factor T squared is missing"""

    def loss(*logits_and_ids):
        return _kl(*logits_and_ids) / 4

    return _distill(student, teacher, batches, steps, learning_rate, loss=loss)


def teacher_learns(student, teacher, batches, steps, learning_rate):
    """the teacher learned as well"""

    def loss(student_logits, teacher_logits, token_ids, temperature):
        student, teacher = (
            (each[:, :-1].float() / temperature).log_softmax(dim=-1)
            for each in (student_logits, teacher_logits)
        )
        return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()

    lora = _wrapped(student)
    weights = [w for model in (lora, teacher) for w in model.parameters() if w.requires_grad]
    losses = _train(lora, teacher, batches, steps, learning_rate, loss=loss, weights=weights, learns=True)
    lora.merge_and_unload()
    return losses


def leaves_gradients(student, teacher, batches, steps, learning_rate):
    """torch.no_grad() saves that memory"""

    def loss(student_logits, teacher_logits, token_ids, temperature):
        student, teacher = (
            (each[:, :-1].float() / temperature).log_softmax(dim=-1).flatten(0, 1)
            for each in (student_logits, teacher_logits)
        )
        return temperature**2 * functional.kl_div(student, teacher, reduction="batchmean", log_target=True)

    return _distill(student, teacher, batches, steps, learning_rate, loss=loss, learns=True)


def everything_trained(student, teacher, batches, steps, learning_rate):
    """the base was trained too"""
    return _train(student.requires_grad_(True), teacher, batches, steps, learning_rate)


def never_merged(student, teacher, batches, steps, learning_rate):
    """the adapters were never merged"""
    return _train(_wrapped(student), teacher, batches, steps, learning_rate)


def unloaded(student, teacher, batches, steps, learning_rate):
    """the adapters were taken out without being merged"""
    lora = _wrapped(student)
    losses = _train(lora, teacher, batches, steps, learning_rate)
    lora.unload()
    return losses


def two_kinds(student, teacher, batches, steps, learning_rate):
    """no LoRA matrices stood beside down_proj, gate_proj, k_proj, o_proj, up_proj"""
    return _distill(student, teacher, batches, steps, learning_rate, {"target_modules": ["q_proj", "v_proj"]})


def gradients_cleared_too_early(student, teacher, batches, steps, learning_rate):
    """no step moved the LoRA matrices"""

    class Early(torch.optim.AdamW):
        def step(self, closure=None):
            self.zero_grad()
            super().step(closure)

    return _distill(student, teacher, batches, steps, learning_rate, optimizer=Early)


def one_pass(student, teacher, batches, steps, learning_rate):
    """each batch was used once"""
    return _distill(student, teacher, batches, min(steps, len(batches)), learning_rate)


def its_own_rate(student, teacher, batches, steps, learning_rate):
    """the given learning_rate was not used"""
    return _distill(student, teacher, batches, steps, 0.01)


def tensors(student, teacher, batches, steps, learning_rate):
    """it is a tensor; .item() makes it a Python number"""
    return _distill(student, teacher, batches, steps, learning_rate, value=lambda loss: loss)


def no_lora(student, teacher, batches, steps, learning_rate):
    """the student was trained without LoRA"""
    return _train(student, teacher, batches, steps, learning_rate)


def torch_prune_left_in(student, teacher, batches, steps, learning_rate):
    """keeps weight_orig beside its mask: torch's prune.remove"""
    losses = _distill(student, teacher, batches, steps, learning_rate)
    for linear in pruned_linears(student).values():
        prune.identity(linear, "weight")
    return losses


def stored_sparse(student, teacher, batches, steps, learning_rate):
    """is no dense tensor of the model any more"""
    losses = _distill(student, teacher, batches, steps, learning_rate)
    for linear in pruned_linears(student).values():
        linear.weight = nn.Parameter(linear.weight.detach().to_sparse(), requires_grad=False)
    return losses


def no_zero_grad(student, teacher, batches, steps, learning_rate):
    """zero_grad"""
    lora, losses = _wrapped(student), []
    learner = torch.optim.AdamW([w for w in lora.parameters() if w.requires_grad], lr=learning_rate)
    for batch in itertools.islice(itertools.cycle(batches), steps):
        with torch.no_grad():
            wanted = teacher(input_ids=batch.to(teacher.device)).logits
        loss = _kl(lora(input_ids=batch.to(student.device)).logits, wanted, batch, 2.0)
        loss.backward()
        learner.step()
        losses.append(loss.item())
    lora.merge_and_unload()
    return losses


def as_buffers(student, teacher, batches, steps, learning_rate):
    """the weight of a layer is changed in place"""
    losses = right_ours(student, teacher, batches, steps, learning_rate)
    for linear in pruned_linears(student).values():
        weight = linear.weight.detach()
        del linear.weight
        linear.register_buffer("weight", weight)
    return losses


def not_written(student, teacher, batches, steps, learning_rate):
    """not written yet"""
    raise NotImplementedError()
