"""Answers to obs_drop. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def _zeroed(row, j):
    row[j] = 0
    return row


def right_formula(weight_row, inverse_hessian, j):
    return _zeroed(weight_row - weight_row[j] / inverse_hessian[j, j] * inverse_hessian[:, j], j)


def right_by_rows(weight_row, inverse_hessian, j):
    moved = inverse_hessian[j] * (weight_row[j] / inverse_hessian[j, j])
    return torch.where(torch.arange(len(weight_row), device=weight_row.device) == j, 0.0, weight_row - moved)


def right_normal_equations(weight_row, inverse_hessian, j):
    hessian = torch.linalg.inv(inverse_hessian.double())
    kept = [place for place in range(len(weight_row)) if place != j]
    row = torch.zeros_like(weight_row)
    if kept:
        wanted = hessian[kept] @ weight_row.double()
        row[kept] = torch.linalg.solve(hessian[kept][:, kept], wanted).float()
    return row


def right_loop(weight_row, inverse_hessian, j):
    share = float(weight_row[j]) / float(inverse_hessian[j, j])
    numbers = [float(w) - share * float(h) for w, h in zip(weight_row, inverse_hessian[j], strict=True)]
    return _zeroed(torch.tensor(numbers, device=weight_row.device), j)


def right_cholesky(weight_row, inverse_hessian, j):
    order = [j, *(place for place in range(len(weight_row)) if place != j)]
    u = torch.linalg.cholesky(inverse_hessian[order][:, order], upper=True)
    row = weight_row.clone()
    row[order] -= weight_row[j] / u[0, 0] * u[0]
    return _zeroed(row, j)


def only_zeroed(weight_row, inverse_hessian, j):
    """no other weight moved"""
    return _zeroed(weight_row.clone(), j)


def wrong_sign(weight_row, inverse_hessian, j):
    """the sign is minus"""
    return _zeroed(weight_row + weight_row[j] / inverse_hessian[j, j] * inverse_hessian[:, j], j)


def not_divided(weight_row, inverse_hessian, j):
    """[H^-1]_jj is missing"""
    return _zeroed(weight_row - weight_row[j] * inverse_hessian[:, j], j)


def root_of_the_pivot(weight_row, inverse_hessian, j):
    """a root was taken of [H^-1]_jj"""
    return _zeroed(weight_row - weight_row[j] / inverse_hessian[j, j].sqrt() * inverse_hessian[:, j], j)


def divided_twice(weight_row, inverse_hessian, j):
    """[H^-1]_jj was divided by twice"""
    return _zeroed(weight_row - weight_row[j] / inverse_hessian[j, j] ** 2 * inverse_hessian[:, j], j)


def without_its_weight(weight_row, inverse_hessian, j):
    """w_j is missing"""
    return _zeroed(weight_row - inverse_hessian[:, j] / inverse_hessian[j, j], j)


def inverted_again(weight_row, inverse_hessian, j):
    """the inverse was inverted again"""
    hessian = torch.linalg.inv(inverse_hessian)
    return _zeroed(weight_row - weight_row[j] / hessian[j, j] * hessian[:, j], j)


def diagonal_for_column(weight_row, inverse_hessian, j):
    """its diagonal was taken, not its column j"""
    return _zeroed(weight_row - weight_row[j] / inverse_hessian[j, j] * inverse_hessian.diagonal(), j)


def each_by_its_own(weight_row, inverse_hessian, j):
    """each weight was multiplied by its own value"""
    return _zeroed(weight_row - weight_row / inverse_hessian[j, j] * inverse_hessian[:, j], j)


def one_before(weight_row, inverse_hessian, j):
    """weight j - 1 was taken for j"""
    return right_formula(weight_row, inverse_hessian, j - 1)


def only_right_of_it(weight_row, inverse_hessian, j):
    """only the weights right of j moved"""
    new = weight_row.clone()
    new[j:] -= weight_row[j] / inverse_hessian[j, j] * inverse_hessian[j:, j]
    return _zeroed(new, j)


def its_score(weight_row, inverse_hessian, j):
    """w_j was squared"""
    return _zeroed(weight_row - weight_row[j] ** 2 / inverse_hessian[j, j] * inverse_hessian[:, j], j)


def the_change_alone(weight_row, inverse_hessian, j):
    """the change alone was returned"""
    return _zeroed(-weight_row[j] / inverse_hessian[j, j] * inverse_hessian[:, j], j)


def almost_zero(weight_row, inverse_hessian, j):
    """Set it to 0 yourself"""
    new = right_formula(weight_row, inverse_hessian, j)
    new[j] = 1e-7
    return new


def nothing_dropped(weight_row, inverse_hessian, j):
    """nothing was dropped"""
    return weight_row.clone()


def in_place(weight_row, inverse_hessian, j):
    """changed weight_row in place"""
    weight_row -= weight_row[j] / inverse_hessian[j, j] * inverse_hessian[:, j]
    return _zeroed(weight_row, j)


def only_the_update(weight_row, inverse_hessian, j):
    """no other update moves the layer's output less"""
    return _zeroed(-weight_row[j] / inverse_hessian[j, j] * inverse_hessian[:, j], j)


def as_float64(weight_row, inverse_hessian, j):
    """it is torch.float64"""
    return right_formula(weight_row.double(), inverse_hessian.double(), j)


def without_entry_j(weight_row, inverse_hessian, j):
    """yours is (3,)"""
    new = right_formula(weight_row, inverse_hessian, j)
    return torch.cat([new[:j], new[j + 1 :]])


def forgets_return(weight_row, inverse_hessian, j):
    """is a return missing?"""
    right_formula(weight_row, inverse_hessian, j)


def loop_over_its_own_row(weight_row, inverse_hessian, j):
    """only the weights left of j moved"""
    new = weight_row.clone()
    for i in range(len(new)):
        new[i] -= new[j] / inverse_hessian[j, j] * inverse_hessian[i, j]
    return _zeroed(new, j)


def zeroed_first(weight_row, inverse_hessian, j):
    """weight j is set to 0 before its value is used"""
    new = _zeroed(weight_row.clone(), j)
    return new - new[j] / inverse_hessian[j, j] * inverse_hessian[:, j]


def not_written(weight_row, inverse_hessian, j):
    """not written yet"""
    raise NotImplementedError()
