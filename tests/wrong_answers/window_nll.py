"""Answers to window_nll. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from torch.nn import functional


def _sum(logits, targets):
    return functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="sum")


def right_cross_entropy(logits, token_ids):
    targets = token_ids[:, 1:]
    return _sum(logits[:, :-1], targets), targets.numel()


def right_gather(logits, token_ids):
    logp = logits[:, :-1].float().log_softmax(dim=-1)
    targets = token_ids[:, 1:]
    return -logp.gather(-1, targets.unsqueeze(-1)).sum(), targets.shape[0] * targets.shape[1]


def right_transposed(logits, token_ids):
    targets = token_ids[:, 1:]
    losses = functional.cross_entropy(logits[:, :-1].float().transpose(1, 2), targets, reduction="none")
    return losses.sum(), losses.numel()


def right_double(logits, token_ids):
    logp = logits.double().log_softmax(dim=-1)[:, :-1]
    chosen = torch.take_along_dim(logp, token_ids[:, 1:, None], dim=2)
    return chosen.sum().neg(), chosen.numel()


def right_mean_times_count(logits, token_ids):
    targets = token_ids[:, 1:].reshape(-1)
    guesses = logits[:, :-1].float().reshape(len(targets), -1)
    return functional.cross_entropy(guesses, targets) * len(targets), len(targets)


def right_loop(logits, token_ids):
    total, count = torch.zeros((), device=logits.device), 0
    for rows, ids in zip(logits.float(), token_ids, strict=True):
        for row, target in zip(rows[:-1], ids[1:], strict=True):
            total = total + row.logsumexp(0) - row[target]
            count += 1
    return total, count


def not_shifted(logits, token_ids):
    """logits and tokens were not shifted"""
    return _sum(logits, token_ids), token_ids.shape[0] * (token_ids.shape[1] - 1)


def not_shifted_and_counted(logits, token_ids):
    """logits and tokens were not shifted"""
    return _sum(logits, token_ids), token_ids.numel()


def both_cut_at_the_end(logits, token_ids):
    """logits and tokens were not shifted"""
    targets = token_ids[:, :-1]
    return _sum(logits[:, :-1], targets), targets.numel()


def both_cut_at_the_start(logits, token_ids):
    """logits and tokens were not shifted"""
    targets = token_ids[:, 1:]
    return _sum(logits[:, 1:], targets), targets.numel()


def shifted_twice(logits, token_ids):
    """shifted twice"""
    return _sum(logits[:, :-2], token_ids[:, 2:]), token_ids.shape[0] * (token_ids.shape[1] - 1)


def shifted_twice_and_counted(logits, token_ids):
    """shifted twice"""
    return _sum(logits[:, :-2], token_ids[:, 2:]), token_ids[:, 2:].numel()


def wrong_way(logits, token_ids):
    """shifted the wrong way"""
    targets = token_ids[:, :-1]
    return _sum(logits[:, 1:], targets), targets.numel()


def joined_first(logits, token_ids):
    """the windows were joined before the shift"""
    targets = token_ids.flatten()[1:]
    return _sum(logits.flatten(0, 1)[None, :-1], targets), targets.numel()


def mean(logits, token_ids):
    """the mean over the targets instead of their sum"""
    targets = token_ids[:, 1:]
    return _sum(logits[:, :-1], targets) / targets.numel(), targets.numel()


def counts_every_token(logits, token_ids):
    """every token was counted"""
    return _sum(logits[:, :-1], token_ids[:, 1:]), token_ids.numel()


def counts_one_window(logits, token_ids):
    """one window was counted"""
    return _sum(logits[:, :-1], token_ids[:, 1:]), token_ids.shape[1] - 1


def tensor_count(logits, token_ids):
    """yours is a tensor; a Python int is asked for"""
    total, count = right_cross_entropy(logits, token_ids)
    return total, torch.tensor(count)


def float_count(logits, token_ids):
    """yours is a float; a Python int is asked for"""
    total, count = right_cross_entropy(logits, token_ids)
    return total, float(count)


def float_sum(logits, token_ids):
    """the sum is of type float"""
    total, count = right_cross_entropy(logits, token_ids)
    return total.item(), count


def sum_alone(logits, token_ids):
    """yours is a Tensor"""
    return right_cross_entropy(logits, token_ids)[0]


def per_window(logits, token_ids):
    """yours is (2,)"""
    losses = functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), token_ids[:, 1:], reduction="none"
    )
    return losses.sum(dim=1), losses.numel()


def in_half_precision(logits, token_ids):
    """the sum was taken in half precision"""
    targets = token_ids[:, 1:]
    return -logits[:, :-1].log_softmax(-1).gather(2, targets[..., None]).sum(), targets.numel()


def made_float_too_late(logits, token_ids):
    """half precision"""
    targets = token_ids[:, 1:]
    return -logits[:, :-1].log_softmax(-1).gather(2, targets[..., None]).float().sum(), targets.numel()


def sum_made_float_too_late(logits, token_ids):
    """half precision"""
    total, count = in_half_precision(logits, token_ids)
    return total.float(), count


def exp_overflows(logits, token_ids):
    """exp overflowed"""
    weights = logits[:, :-1].float().exp()
    p = weights / weights.sum(dim=-1, keepdim=True)
    targets = token_ids[:, 1:]
    return -p.gather(2, targets[..., None]).log().sum(), targets.numel()


def log_of_softmax(logits, token_ids):
    """a probability became 0"""
    targets = token_ids[:, 1:]
    p = logits[:, :-1].float().softmax(dim=-1)
    return -p.gather(2, targets[..., None]).log().sum(), targets.numel()


def probabilities(logits, token_ids):
    """probabilities were added up"""
    targets = token_ids[:, 1:]
    return logits[:, :-1].float().softmax(-1).gather(2, targets[..., None]).sum(), targets.numel()


def nll_loss_of_probabilities(logits, token_ids):
    """probabilities were added up"""
    targets = token_ids[:, 1:]
    p = logits[:, :-1].float().softmax(-1)
    return functional.nll_loss(p.flatten(0, 1), targets.flatten(), reduction="sum"), targets.numel()


def one_minus_probability(logits, token_ids):
    """probabilities were added up"""
    targets = token_ids[:, 1:]
    return (1 - logits[:, :-1].float().softmax(-1).gather(2, targets[..., None])).sum(), targets.numel()


def raw_logits(logits, token_ids):
    """the logits themselves were added up"""
    targets = token_ids[:, 1:]
    guesses = logits[:, :-1].float().flatten(0, 1)
    return functional.nll_loss(guesses, targets.flatten(), reduction="sum"), targets.numel()


def softmax_twice(logits, token_ids):
    """softmax was taken twice"""
    return _sum(logits[:, :-1].float().softmax(-1), token_ids[:, 1:]), token_ids[:, 1:].numel()


def bits(logits, token_ids):
    """the logarithm is to base 2"""
    total, count = right_cross_entropy(logits, token_ids)
    return total / torch.tensor(2.0).log(), count


def no_minus(logits, token_ids):
    """the minus sign is missing"""
    total, count = right_cross_entropy(logits, token_ids)
    return -total, count


def forgets_return(logits, token_ids):
    """is a return missing?"""
    right_cross_entropy(logits, token_ids)


def cuts_one_side(logits, token_ids):
    """only one side was cut"""
    return _sum(logits, token_ids[:, 1:]), token_ids[:, 1:].numel()


def not_flattened(logits, token_ids):
    """one row of logits for each target, [N, V] and [N]"""
    targets = token_ids[:, 1:]
    return functional.cross_entropy(logits[:, :-1].float(), targets, reduction="sum"), targets.numel()


def views_a_slice(logits, token_ids):
    """view needs numbers that lie side by side in memory"""
    targets = token_ids[:, 1:]
    rows = logits[:, :-1].view(-1, logits.shape[-1])
    return functional.cross_entropy(rows.float(), targets.view(-1), reduction="sum"), targets.numel()


def one_window_alone(logits, token_ids):
    """one window was taken, and this batch has more"""
    return _sum(logits[:1, :-1], token_ids[:1, 1:]), token_ids.shape[1] - 1


def token_0_as_padding(logits, token_ids):
    """token 0 does not count"""
    targets = token_ids[:, 1:].flatten()
    guesses = logits[:, :-1].float().flatten(0, 1)
    total = functional.cross_entropy(guesses, targets, ignore_index=0, reduction="sum")
    return total, int((targets != 0).sum())


def added_to_probabilities(logits, token_ids):
    """a probability of 0, or its logarithm, was replaced"""
    p = logits[:, :-1].float().softmax(dim=-1).gather(-1, token_ids[:, 1:, None])
    return -(p + 1e-10).log().sum(), p.numel()


def clamped_probabilities(logits, token_ids):
    """a probability of 0, or its logarithm, was replaced"""
    p = logits[:, :-1].float().softmax(dim=-1).gather(-1, token_ids[:, 1:, None])
    return -p.clamp(min=1e-12).log().sum(), p.numel()


def nan_to_num_of_logarithms(logits, token_ids):
    """a probability of 0, or its logarithm, was replaced"""
    p = logits[:, :-1].float().softmax(dim=-1).gather(-1, token_ids[:, 1:, None])
    return -p.log().nan_to_num(neginf=0).sum(), p.numel()


def count_first(logits, token_ids):
    """the two changed places: first the sum, then the count"""
    total, count = right_cross_entropy(logits, token_ids)
    return count, total


def to_base_10(logits, token_ids):
    """the logarithm is to base 10"""
    total, count = right_cross_entropy(logits, token_ids)
    return total / torch.tensor(10.0).log(), count


def perplexity_already(logits, token_ids):
    """This is a perplexity already"""
    total, count = right_cross_entropy(logits, token_ids)
    return (total / count).exp(), count


def softmax_over_positions(logits, token_ids):
    """softmax ran along the positions"""
    logp = logits.float().log_softmax(dim=1)[:, :-1]
    return -logp.gather(-1, token_ids[:, 1:, None]).sum(), token_ids[:, 1:].numel()


def reshaped_for_cross_entropy(logits, token_ids):
    """reshape or view exchanged positions and vocabulary"""
    batch, length, vocabulary = logits.shape
    mixed = logits[:, :-1].float().reshape(batch, vocabulary, length - 1)
    total = functional.cross_entropy(mixed, token_ids[:, 1:], reduction="sum")
    return total, token_ids[:, 1:].numel()


def cross_entropy_made_float_too_late(logits, token_ids):
    """in half precision and made float32 too late"""
    guesses, targets = logits[:, :-1].flatten(0, 1), token_ids[:, 1:].flatten()
    return functional.cross_entropy(guesses, targets, reduction="sum").float(), targets.numel()


def not_written(logits, token_ids):
    """not written yet"""
    raise NotImplementedError()


def entropy(logits, token_ids):
    """the sum of these targets' negative log-likelihoods"""
    logs = logits[:, :-1].float().log_softmax(dim=-1)
    return -(logs.exp() * logs).sum(), token_ids[:, 1:].numel()


def label_smoothing(logits, token_ids):
    """the sum of these targets' negative log-likelihoods"""
    guesses, targets = logits[:, :-1].float().flatten(0, 1), token_ids[:, 1:].flatten()
    nll = torch.nn.functional.cross_entropy(guesses, targets, reduction="sum", label_smoothing=0.1)
    return nll, targets.numel()
