"""Answers to perplexity. A wrong one's docstring is the phrase that must name its mistake."""

import math

import torch
from torch.nn import functional


def _nll(model, batch, shift=1):
    batch = batch.to(model.device)
    logits = model(batch).logits[:, : batch.shape[1] - shift].float()
    return functional.cross_entropy(logits.flatten(0, 1), batch[:, shift:].flatten(), reduction="sum").item()


def _evaluate(model, measure):
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return measure()
    finally:
        model.train(was_training)


def _total(model, token_windows):
    return sum(_nll(model, window[None]) for window in token_windows)


def _targets(token_windows):
    return token_windows.shape[0] * (token_windows.shape[1] - 1)


def right_window_by_window(model, token_windows):
    return _evaluate(model, lambda: math.exp(_total(model, token_windows) / _targets(token_windows)))


def right_two_at_a_time(model, token_windows):
    total = _evaluate(model, lambda: sum(_nll(model, batch) for batch in token_windows.split(2)))
    return math.exp(total / _targets(token_windows))


def right_with_gradients_on(model, token_windows):
    was_training = model.training
    model.eval()
    total = _total(model, token_windows)
    model.train(was_training)
    return math.exp(total / _targets(token_windows))


def right_inference_mode(model, token_windows):
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        total = _total(model, token_windows)
    model.train(was_training)
    return math.exp(total / _targets(token_windows))


def right_geometric_mean(model, token_windows):
    def measure():
        each = [_nll(model, window[None]) / (len(window) - 1) for window in token_windows]
        return torch.tensor(each, dtype=torch.float64).mean().exp().item()

    return _evaluate(model, measure)


def right_library_labels(model, token_windows):
    def measure():
        windows = token_windows.to(model.device)
        return math.exp(sum(model(w[None], labels=w[None]).loss.item() for w in windows) / len(windows))

    return _evaluate(model, measure)


def average_of_perplexities(model, token_windows):
    """the average of the windows' own perplexities"""

    def measure():
        each = [math.exp(_nll(model, window[None]) / (len(window) - 1)) for window in token_windows]
        return sum(each) / len(each)

    return _evaluate(model, measure)


def _mean_of_means(model, token_windows, size):
    """exp of the mean of the mean losses of batches: a smaller last one counts as much as a full one."""

    def measure():
        means = [_nll(model, batch) / _targets(batch) for batch in token_windows.split(size)]
        return math.exp(sum(means) / len(means))

    return _evaluate(model, measure)


def means_of_four(model, token_windows):
    """the mean losses of batches were averaged"""
    return _mean_of_means(model, token_windows, 4)


def means_of_eight(model, token_windows):
    """the mean losses of batches were averaged"""
    return _mean_of_means(model, token_windows, 8)


def means_of_sixteen(model, token_windows):
    """the mean losses of batches were averaged"""
    return _mean_of_means(model, token_windows, 16)


def divides_by_all_tokens(model, token_windows):
    """the total was divided by all"""
    return _evaluate(model, lambda: math.exp(_total(model, token_windows) / token_windows.numel()))


def divides_by_windows(model, token_windows):
    """divided by the windows instead of the targets"""
    return _evaluate(model, lambda: math.exp(min(_total(model, token_windows) / len(token_windows), 700)))


def shifted_twice(model, token_windows):
    """logits and tokens were shifted twice"""

    def measure():
        total = sum(_nll(model, window[None], shift=2) for window in token_windows)
        return math.exp(total / (token_windows.shape[0] * (token_windows.shape[1] - 2)))

    return _evaluate(model, measure)


def shifted_by_both(model, token_windows):
    """logits and tokens were shifted twice"""

    def measure():
        windows = token_windows.to(model.device)
        losses = [model(w[None, :-1], labels=w[None, 1:]).loss.item() for w in windows]
        return math.exp(sum(losses) / len(losses))

    return _evaluate(model, measure)


def not_shifted(model, token_windows):
    """logits and tokens were not shifted"""
    total = _evaluate(model, lambda: sum(_nll(model, window[None], shift=0) for window in token_windows))
    return math.exp(total / token_windows.numel())


def in_training_mode(model, token_windows):
    """evaluated in training mode"""
    with torch.no_grad():
        return math.exp(_total(model, token_windows) / _targets(token_windows))


def leaves_eval_mode(model, token_windows):
    """left in eval mode"""
    model.eval()
    with torch.no_grad():
        return math.exp(_total(model, token_windows) / _targets(token_windows))


def leaves_training_mode(model, token_windows):
    """left in training mode"""
    found = right_window_by_window(model, token_windows)
    model.train()
    return found


def leaves_gradients_off(model, token_windows):
    """gradients are switched to another state"""
    torch.set_grad_enabled(False)
    return right_window_by_window(model, token_windows)


def leaves_gradients_on(model, token_windows):
    """gradients are switched to another state"""
    torch.set_grad_enabled(False)
    found = right_window_by_window(model, token_windows)
    torch.set_grad_enabled(True)
    return found


def freezes_the_model(model, token_windows):
    """requires_grad of the weights changed"""
    model.requires_grad_(False)
    return right_window_by_window(model, token_windows)


def leaves_gradients_behind(model, token_windows):
    """weights have a .grad now"""
    found = right_window_by_window(model, token_windows)
    if torch.is_grad_enabled():
        model.requires_grad_(True)
        model(token_windows[:1].to(model.device)).logits.sum().backward()
        model.requires_grad_(False)
    return found


def bits_under_exp(model, token_windows):
    """exp was taken of bits"""

    def measure():
        return math.exp(min(_total(model, token_windows) / _targets(token_windows) / math.log(2), 700))

    return _evaluate(model, measure)


def two_to_the_nats(model, token_windows):
    """2 was raised to a loss in nats"""
    return _evaluate(model, lambda: 2 ** (_total(model, token_windows) / _targets(token_windows)))


def forgets_exp(model, token_windows):
    """its exp is missing"""
    return _evaluate(model, lambda: _total(model, token_windows) / _targets(token_windows))


def only_the_last_window(model, token_windows):
    """only the last window counts"""
    return right_window_by_window(model, token_windows[-1:])


def only_the_first_window(model, token_windows):
    """only the first window counts"""
    return right_window_by_window(model, token_windows[:1])


def a_tensor(model, token_windows):
    """.item() makes it a Python number"""
    return torch.tensor(right_window_by_window(model, token_windows))


def changes_the_windows(model, token_windows):
    """changed token_windows in place"""
    found = right_window_by_window(model, token_windows)
    token_windows[:, 0] = 0
    return found


def forgets_return(model, token_windows):
    """is a return missing?"""
    right_window_by_window(model, token_windows)


def not_written(model, token_windows):
    """not written yet"""
    raise NotImplementedError()
