"""12.1 smallest_file, made from solutions/12_challenge.py."""

import torch
from labsupport import linears
from labsupport.table import columns

def smallest_file(model, batches, seconds: float) -> dict[str, torch.Tensor]:
    """The tensors of a file as small as possible, whose model still speaks.

    model: the dense course model, which is yours to change; batches: LongTensors [1, L] of calibration tokens;
    seconds: what one call may take. The keys are those of `container`: NAME, NAME.codes4, NAME.scale,
    NAME.zero, NAME.mask, NAME.left, NAME.right, and "dropped".
    """
    parts = {name: weight.half() for name, weight in model.named_parameters() if weight.dim() == 1}
    rest = {f"{name}.weight": linear for name, linear in linears.pruned_linears(model).items()}

    def pack(name: str, owner, bits: int, group: int, hessian=None) -> None:
        """Round a weight, put its parts into the file, and go on with what the file holds."""
        codes, scale, zero, weight = rounded(owner.weight, bits, group, hessian)
        parts.update({f"{name}.codes{bits}": codes, f"{name}.scale": scale, f"{name}.zero": zero})
        owner.weight.copy_(weight)

    def on_arrival(
        name: str, linear, x: torch.Tensor
    ) -> None:  # x: [B, L, in], after all that was rounded before
        x = x.flatten(0, 1).float()
        pack(name, linear, *budget(name), hessian=x.T @ x)

    with torch.no_grad():
        pack("model.embed_tokens.weight", model.get_input_embeddings(), 4, 64)
        hooks = [
            linear.register_forward_pre_hook(lambda _, x, name=name, own=linear: on_arrival(name, own, x[0]))
            for name, linear in rest.items()
        ]
        try:
            model.model(torch.cat(list(batches)).to(model.device), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
    return parts


def budget(name: str) -> tuple[int, int]:
    """Bits and group of a matrix, by its name."""
    return (3, 64) if "gate" in name or "up" in name else (4, 64)


def rounded(weight: torch.Tensor, bits: int, group: int, hessian=None) -> tuple[torch.Tensor, ...]:
    """Codes uint8 [rows, columns], scale and zero [rows, groups], and the weight that they make.

    With the Hessian of its inputs, [columns, columns], each column's error is made up for by those that are
    still to be rounded. Source: Frantar et al. 2023, algorithm 1.
    """
    weight = weight.float().clone()
    rows, columns = weight.shape
    group = next(size for size in range(min(group, columns), 0, -1) if columns % size == 0)
    upper = torch.eye(columns, device=weight.device)
    if hessian is not None:
        damp = 0.01 * hessian.diagonal().mean()
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian + damp * upper))
        upper = torch.linalg.cholesky(inverse, upper=True)
    codes, scales, zeros = torch.empty_like(weight, dtype=torch.uint8), [], []
    for start in range(0, columns, group):
        own = slice(start, start + group)
        scale, zero = grid(weight[:, own], bits)
        errors = torch.zeros(rows, group, device=weight.device)
        for place in range(start, start + group):
            column = weight[:, place]
            code = ((column - zero) / scale).round().clamp(0, 2**bits - 1)
            codes[:, place] = code.to(torch.uint8)
            exact = scale * code + zero
            errors[:, place - start] = error = (column - exact) / upper[place, place]
            weight[:, place + 1 : start + group] -= error[:, None] * upper[place, place + 1 : start + group]
            weight[:, place] = exact
        weight[:, start + group :] -= errors @ upper[own, start + group :]
        scales.append(scale)
        zeros.append(zero)
    return codes, torch.stack(scales, dim=1), torch.stack(zeros, dim=1), weight


def grid(weight: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and zero, [rows] each, of one group [rows, size]: of several ranges the one with the least error."""
    low, high = weight.amin(dim=1), weight.amax(dim=1)
    best, least = None, torch.full_like(low, torch.inf)
    for share in (1.0, 0.95, 0.9, 0.85, 0.8):
        zero = (low * share).half().float()
        scale = ((high - low) * share / (2**bits - 1)).clamp(min=1e-6).half().float()
        codes = ((weight - zero[:, None]) / scale[:, None]).round().clamp(0, 2**bits - 1)
        error = (scale[:, None] * codes + zero[:, None] - weight).square().sum(dim=1)
        better = error < least
        best = (
            (scale, zero)
            if best is None
            else tuple(torch.where(better, new, old) for new, old in zip((scale, zero), best, strict=True))
        )
        least = torch.minimum(error, least)
    return best
