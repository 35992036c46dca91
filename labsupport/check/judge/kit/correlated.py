"""Layers whose inputs share much of what they say, for the judges of lab 09."""

import random

import torch

from labsupport.check.judge.kit import draw


def layer(source: random.Random, out: int, count: int, tokens: int, numbers=draw.normal) -> dict:
    """A weight [out, in], and the Hessian [in, in] of inputs that share much of what they say."""
    shared = draw.normal(source, tokens, count // 4) @ draw.normal(source, count // 4, count)  # [T, in]
    loud = torch.tensor([source.choice((0.5, 1.0, 3.0)) for _ in range(count)])  # [in]
    x = (draw.normal(source, tokens, count) + shared) * loud
    return {"weight": numbers(source, out, count), "hessian": x.T @ x}


def quiet(inputs: dict) -> dict:
    """The same layer with quiet inputs, so that a damping that is no share of H is another one."""
    return {**inputs, "hessian": inputs["hessian"] / 16, "damp": 0.1}
