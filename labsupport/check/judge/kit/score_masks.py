"""Masks from a matrix of scores: the conditions that come before a comparison of entries."""

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit.compare import has_shape, is_mask, on_same_device
from labsupport.check.judge.kit.exercise import Part

INVERTED = "It looks as if the mask is inverted: in this course True means keep."


def mask_parts(score: torch.Tensor, answer: Answer) -> list[Part]:
    """The parts on type, shape and device of a mask for the score [out, in]."""
    mask, shape = answer.value, tuple(score.shape)
    return [
        Part("the mask is torch.bool", lambda: is_mask(mask)),
        Part(f"shape (out_features, in_features) = {shape}", lambda: has_shape(mask, shape)),
        Part("on the device of the score", lambda: on_same_device(answer)),
    ]


def comparable(mask, score: torch.Tensor) -> bool:
    """Whether an answer is a bool tensor with the shape of the score [out, in]."""
    return isinstance(mask, torch.Tensor) and mask.dtype is torch.bool and mask.shape == score.shape
