"""Answers to distill_loss. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from torch.nn import functional

from labsupport.given import distillation as ours


def _soft(logits, temperature):
    """ln p of every guess that has a target: [B * (L - 1), V]."""
    return (logits[:, :-1].float() / temperature).log_softmax(dim=-1).flatten(0, 1)


def right_ours(student_logits, teacher_logits, token_ids, temperature):
    return ours.distill_loss(student_logits, teacher_logits, token_ids, temperature)


def right_kl_div(student_logits, teacher_logits, token_ids, temperature):
    student, teacher = _soft(student_logits, temperature), _soft(teacher_logits.detach(), temperature)
    kl = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return temperature**2 * kl


def right_by_hand(student_logits, teacher_logits, token_ids, temperature):
    student = torch.log_softmax(student_logits.float() / temperature, dim=-1)
    with torch.no_grad():
        teacher = torch.log_softmax(teacher_logits.float() / temperature, dim=-1)
    each = (teacher.exp() * (teacher - student)).sum(dim=-1)[:, :-1]
    return each.sum() / token_ids[:, 1:].numel() * temperature**2


def right_cross_entropy_minus_entropy(student_logits, teacher_logits, token_ids, temperature):
    """torch's cross_entropy takes probabilities as targets; equal guesses cost the teacher's entropy."""
    student = student_logits[:, :-1].float().flatten(0, 1) / temperature
    target = (teacher_logits[:, :-1].detach().float().flatten(0, 1) / temperature).softmax(dim=-1)
    entropy = torch.special.entr(target).sum(dim=-1).mean()
    return temperature**2 * (functional.cross_entropy(student, target) - entropy)


def right_window_by_window(student_logits, teacher_logits, token_ids, temperature):
    """Logits minus their logsumexp, in float64, one window after the other."""
    losses = []
    for mine, wanted in zip(student_logits.double(), teacher_logits.detach().double(), strict=True):
        mine, wanted = mine[:-1] / temperature, wanted[:-1] / temperature
        p, q = mine - mine.logsumexp(1, keepdim=True), wanted - wanted.logsumexp(1, keepdim=True)
        losses.append(torch.einsum("tv,tv->t", q.exp(), q - p).mean())
    return temperature * temperature * torch.stack(losses).mean()


def factor_forgotten(student_logits, teacher_logits, token_ids, temperature):
    """the factor T squared is not there"""
    return right_kl_div(student_logits, teacher_logits, token_ids, temperature) / temperature**2


def factor_t(student_logits, teacher_logits, token_ids, temperature):
    """the factor T squared is not there"""
    return right_kl_div(student_logits, teacher_logits, token_ids, temperature) / temperature


def batchmean_over_windows(student_logits, teacher_logits, token_ids, temperature):
    """divided by the number of windows"""
    student, teacher = (
        (each[:, :-1] / temperature).log_softmax(dim=-1) for each in (student_logits, teacher_logits.detach())
    )
    kl = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return temperature**2 * kl


def mean_over_the_vocabulary(student_logits, teacher_logits, token_ids, temperature):
    """divided by the vocabulary, too"""
    student, teacher = _soft(student_logits, temperature), _soft(teacher_logits.detach(), temperature)
    return temperature**2 * (teacher.exp() * (teacher - student)).mean()


def logarithms_as_target(student_logits, teacher_logits, token_ids, temperature):
    """kl_div took logarithms for probabilities"""
    student, teacher = _soft(student_logits, temperature), _soft(teacher_logits.detach(), temperature)
    return temperature**2 * functional.kl_div(student, teacher, reduction="batchmean")


def over_all_tokens(student_logits, teacher_logits, token_ids, temperature):
    """the sum was divided by all 6 tokens"""
    right = right_kl_div(student_logits, teacher_logits, token_ids, temperature)
    return right * token_ids[:, 1:].numel() / token_ids.numel()


def every_position_over_the_targets(student_logits, teacher_logits, token_ids, temperature):
    """the last guess of every window was counted"""
    right = every_position(student_logits, teacher_logits, token_ids, temperature)
    return right * token_ids.numel() / token_ids[:, 1:].numel()


def every_position(student_logits, teacher_logits, token_ids, temperature):
    """the last guess of every window was counted"""
    student, teacher = (
        (each / temperature).log_softmax(dim=-1) for each in (student_logits, teacher_logits.detach())
    )
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()


def first_left_out(student_logits, teacher_logits, token_ids, temperature):
    """the last guess of every window was counted"""
    student, teacher = (
        (each[:, 1:] / temperature).log_softmax(dim=-1) for each in (student_logits, teacher_logits.detach())
    )
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()


def shifted(student_logits, teacher_logits, token_ids, temperature):
    """student and teacher were shifted against each other"""
    student = (student_logits[:, :-1] / temperature).log_softmax(dim=-1)
    teacher = (teacher_logits.detach()[:, 1:] / temperature).log_softmax(dim=-1)
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()


def changed_places(student_logits, teacher_logits, token_ids, temperature):
    """student and teacher changed places"""
    student, teacher = _soft(student_logits, temperature), _soft(teacher_logits.detach(), temperature)
    return temperature**2 * (student.exp() * (student - teacher)).sum(dim=-1).mean()


def cross_entropy(student_logits, teacher_logits, token_ids, temperature):
    """this is the cross-entropy with the teacher's guesses"""
    student, teacher = _soft(student_logits, temperature), _soft(teacher_logits.detach(), temperature)
    return -(temperature**2) * (teacher.exp() * student).sum(dim=-1).mean()


def student_alone_softened(student_logits, teacher_logits, token_ids, temperature):
    """only one of the two was divided by T"""
    student, teacher = _soft(student_logits, temperature), _soft(teacher_logits.detach(), 1)
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()


def temperature_left_out(student_logits, teacher_logits, token_ids, temperature):
    """the temperature was not used"""
    student, teacher = _soft(student_logits, 1), _soft(teacher_logits.detach(), 1)
    return (teacher.exp() * (teacher - student)).sum(dim=-1).mean()


def multiplied(student_logits, teacher_logits, token_ids, temperature):
    """the logits were multiplied by T"""
    student, teacher = _soft(student_logits, 1 / temperature), _soft(teacher_logits.detach(), 1 / temperature)
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()


def with_labels(student_logits, teacher_logits, token_ids, temperature):
    """the labels had a say"""
    hard = functional.cross_entropy(student_logits[:, :-1].float().flatten(0, 1), token_ids[:, 1:].flatten())
    return hard + right_kl_div(student_logits, teacher_logits, token_ids, temperature)


def squares(student_logits, teacher_logits, token_ids, temperature):
    """the logits themselves were compared"""
    return functional.mse_loss(student_logits[:, :-1].float(), teacher_logits[:, :-1].float().detach())


def no_logarithm(student_logits, teacher_logits, token_ids, temperature):
    """a probability became 0 before its logarithm"""
    student, teacher = (
        (each[:, :-1].float() / temperature).softmax(dim=-1)
        for each in (student_logits, teacher_logits.detach())
    )
    return temperature**2 * (teacher * (teacher.log() - student.log())).sum(dim=-1).mean()


def half_all_the_way(student_logits, teacher_logits, token_ids, temperature):
    """computed in half precision"""
    student, teacher = (
        (each[:, :-1] / temperature).log_softmax(dim=-1) for each in (student_logits, teacher_logits.detach())
    )
    return (temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()).float()


def teacher_learns(student_logits, teacher_logits, token_ids, temperature):
    """gradients flow into the teacher"""
    student, teacher = _soft(student_logits, temperature), _soft(teacher_logits, temperature)
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()


def student_cut_off(student_logits, teacher_logits, token_ids, temperature):
    """the loss was cut off from the student's logits"""
    with torch.no_grad():
        return right_kl_div(student_logits, teacher_logits, token_ids, temperature)


def a_float(student_logits, teacher_logits, token_ids, temperature):
    """the loss is of type float"""
    return right_kl_div(student_logits, teacher_logits, token_ids, temperature).item()


def twice_t(student_logits, teacher_logits, token_ids, temperature):
    """T was doubled and not squared"""
    return right_ours(student_logits, teacher_logits, token_ids, temperature) * 2 / temperature


def factor_twice(student_logits, teacher_logits, token_ids, temperature):
    """the factor T squared is there twice"""
    return right_ours(student_logits, teacher_logits, token_ids, temperature) * temperature**2


def probabilities_first(student_logits, teacher_logits, token_ids, temperature):
    """kl_div got the student's probabilities"""
    student, teacher = (
        (each[:, :-1].float() / temperature).softmax(dim=-1).flatten(0, 1)
        for each in (student_logits, teacher_logits.detach())
    )
    return temperature**2 * functional.kl_div(student, teacher, reduction="batchmean")


def softmax_over_positions(student_logits, teacher_logits, token_ids, temperature):
    """the softmax ran over the positions"""
    student, teacher = (
        (each[:, :-1].float() / temperature).log_softmax(dim=1)
        for each in (student_logits, teacher_logits.detach())
    )
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()


def not_written(student_logits, teacher_logits, token_ids, temperature):
    """not written yet"""
    raise NotImplementedError()
