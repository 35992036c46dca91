"""Answers to lora_forward. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from torch.nn import functional


def right_transposes(x, weight, a, b, scaling):
    return x @ weight.T + scaling * (x @ a.T) @ b.T


def right_functional(x, weight, a, b, scaling):
    return functional.linear(x, weight) + functional.linear(functional.linear(x, a), b) * scaling


def right_scaled_first(x, weight, a, b, scaling):
    return (scaling * x @ a.T) @ b.T + x @ weight.T


def right_einsum(x, weight, a, b, scaling):
    inner = torch.einsum("...i,ri->...r", x, a)
    return torch.einsum("...i,oi->...o", x, weight) + scaling * torch.einsum("...r,or->...o", inner, b)


def merges_first(x, weight, a, b, scaling):
    """the product B A was formed"""
    return x @ (weight + scaling * b @ a).T


def forms_the_product(x, weight, a, b, scaling):
    """the product B A was formed"""
    return x @ weight.T + scaling * x @ (a.T @ b.T)


def no_scaling(x, weight, a, b, scaling):
    """scaling is missing"""
    return x @ weight.T + x @ a.T @ b.T


def scales_everything(x, weight, a, b, scaling):
    """the output of the frozen layer was scaled too"""
    return scaling * (x @ weight.T + x @ a.T @ b.T)


def scales_by_rank(x, weight, a, b, scaling):
    """scaling was divided by the rank"""
    return x @ weight.T + scaling / len(a) * x @ a.T @ b.T


def frozen_alone(x, weight, a, b, scaling):
    """the LoRA matrices were not used"""
    return x @ weight.T


def lora_alone(x, weight, a, b, scaling):
    """the frozen layer is missing"""
    return scaling * x @ a.T @ b.T


def weight_as_it_stands(x, weight, a, b, scaling):
    """weight is not transposed"""
    return x @ weight + scaling * x @ a.T @ b.T


def as_they_stand(x, weight, a, b, scaling):
    """taken as they stand instead of transposed"""
    return x @ weight.T + scaling * x @ a @ b


def exchanged(x, weight, a, b, scaling):
    """a and b changed places"""
    return x @ weight.T + scaling * x @ b.T @ a.T


def one_token(x, weight, a, b, scaling):
    """a single vector"""
    return torch.bmm(x.reshape(1, -1, x.shape[-1]), weight.T[None])[0] + scaling * x @ a.T @ b.T


def adds_in_place(x, weight, a, b, scaling):
    """changed weight in place"""
    output = right_transposes(x, weight, a, b, scaling)
    weight += scaling * b @ a
    return output


def in_double(x, weight, a, b, scaling):
    """it is torch.float64"""
    return right_transposes(x.double(), weight.double(), a.double(), b.double(), scaling)


def columns(x, weight, a, b, scaling):
    """x was taken for columns"""
    return weight @ x + scaling * (b @ (a @ x))


def columns_beside_rows(x, weight, a, b, scaling):
    """x was taken for columns"""
    return x @ weight.T + scaling * b @ (a @ x)


def transposed(x, weight, a, b, scaling):
    """x was taken for columns"""
    return (x @ weight.T + scaling * x @ a.T @ b.T).T if x.dim() == 2 else x @ weight.T


def weight_not_transposed(x, weight, a, b, scaling):
    """a matrix was not transposed"""
    return x @ weight + scaling * x @ a @ b


def subtracts(x, weight, a, b, scaling):
    """the LoRA part was taken away"""
    return x @ weight.T - scaling * (x @ a.T @ b.T)


def scales_the_frozen_layer(x, weight, a, b, scaling):
    """scaling went to the frozen layer"""
    return scaling * (x @ weight.T) + x @ a.T @ b.T


def scales_twice(x, weight, a, b, scaling):
    """the LoRA part was scaled twice"""
    return x @ weight.T + scaling * (scaling * x @ a.T @ b.T)


def turns_all_axes(x, weight, a, b, scaling):
    """x.T was taken"""
    return (weight @ x.T).T + scaling * (x @ a.T @ b.T)


def matrices_alone(x, weight, a, b, scaling):
    """torch.mm was called, which takes matrices alone"""
    return torch.mm(x, weight.T) + scaling * torch.mm(torch.mm(x, a.T), b.T)


def not_written(x, weight, a, b, scaling):
    """not written yet"""
    raise NotImplementedError()
