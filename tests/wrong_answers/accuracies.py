"""Answers to accuracies. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch


def _share(scores, answers):
    return (scores.argmax(dim=1) == answers).double().mean().item()


def right_argmax(logprobs, lengths, answers):
    return _share(logprobs, answers), _share(logprobs / lengths, answers)


def right_numpy(logprobs, lengths, answers):
    logprobs, lengths, answers = (value.cpu().numpy() for value in (logprobs, lengths, answers))
    both = (np.argmax(logprobs, axis=1) == answers, np.argmax(logprobs / lengths, axis=1) == answers)
    return tuple(float(hits.mean()) for hits in both)


def right_in_a_loop(logprobs, lengths, answers):
    hits = [0, 0]
    for row, sizes, answer in zip(logprobs.tolist(), lengths.tolist(), answers.tolist(), strict=True):
        each = [value / size for value, size in zip(row, sizes, strict=True)]
        hits[0] += row.index(max(row)) == answer
        hits[1] += each.index(max(each)) == answer
    return hits[0] / len(answers), hits[1] / len(answers)


def right_rank_of_the_answer(logprobs, lengths, answers):
    def share(scores):
        own = scores.gather(1, answers[:, None])
        return float(((scores > own).sum(dim=1) == 0).float().mean())

    return share(logprobs), share(logprobs / lengths)


def by_the_root_of_the_length(logprobs, lengths, answers):
    """acc_norm: the share whose right choice has the highest sum per byte"""
    return _share(logprobs, answers), _share(logprobs / lengths.sqrt(), answers)


def changed_places(logprobs, lengths, answers):
    """the two changed places"""
    return right_argmax(logprobs, lengths, answers)[::-1]


def acc_twice(logprobs, lengths, answers):
    """the lengths were not used"""
    return (_share(logprobs, answers),) * 2


def by_length_of_the_answer(logprobs, lengths, answers):
    """the lengths were not used"""
    return _share(logprobs, answers), _share(logprobs / lengths.gather(1, answers[:, None]), answers)


def norm_twice(logprobs, lengths, answers):
    """both numbers are normalised"""
    return (_share(logprobs / lengths, answers),) * 2


def counts(logprobs, lengths, answers):
    """how many of the 6 are right"""
    return tuple(share * len(answers) for share in right_argmax(logprobs, lengths, answers))


def divided_by_choices(logprobs, lengths, answers):
    """you divided by the 3 choices"""
    hits = counts(logprobs, lengths, answers)
    return hits[0] / logprobs.shape[1], hits[1] / logprobs.shape[1]


def percentages(logprobs, lengths, answers):
    """these are percentages"""
    return tuple(100 * share for share in right_argmax(logprobs, lengths, answers))


def error_rates(logprobs, lengths, answers):
    """the shares of wrong answers"""
    return tuple(1 - share for share in right_argmax(logprobs, lengths, answers))


def multiplied(logprobs, lengths, answers):
    """the sums were multiplied by the lengths"""
    return _share(logprobs, answers), _share(logprobs * lengths, answers)


def cut_to_whole_numbers(logprobs, lengths, answers):
    """the quotients were cut: / divides, // cuts"""
    return _share(logprobs, answers), _share(logprobs // lengths, answers)


def gaps_filled_with_zeros(logprobs, lengths, answers):
    """a gap won, a choice that is not there"""
    return right_argmax(torch.nan_to_num(logprobs, neginf=0.0), lengths, answers)


def probabilities_divided(logprobs, lengths, answers):
    """probabilities were divided by lengths"""
    return _share(logprobs, answers), _share(logprobs.exp() / lengths, answers)


def least_likely(logprobs, lengths, answers):
    """the least likely choice was taken"""
    return right_argmax(-logprobs, lengths, answers)


def tensors(logprobs, lengths, answers):
    """.item() makes it a Python number"""
    return tuple(torch.tensor(share) for share in right_argmax(logprobs, lengths, answers))


def over_questions(logprobs, lengths, answers):
    """your function raised"""
    return _share(logprobs.T, answers), _share((logprobs / lengths).T, answers)


def one_number(logprobs, lengths, answers):
    """yours is a float"""
    return right_argmax(logprobs, lengths, answers)[1]


def three_numbers(logprobs, lengths, answers):
    """yours is a tuple of 3"""
    return *right_argmax(logprobs, lengths, answers), 0.1


def normalises_in_place(logprobs, lengths, answers):
    """changed logprobs in place"""
    return _share(logprobs, answers), _share(logprobs.div_(lengths), answers)


def returns_nothing(logprobs, lengths, answers):
    """is a return missing?"""
    right_argmax(logprobs, lengths, answers)


def mean_of_bools(logprobs, lengths, answers):
    """the mean of a bool tensor was taken"""
    return (logprobs.argmax(dim=1) == answers).mean().item(), 0.0


def not_written(logprobs, lengths, answers):
    """not written yet"""
    raise NotImplementedError()
