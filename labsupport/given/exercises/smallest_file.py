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

    def pack(name: str, owner, bits: int, group: int, hessian=None) -> None:
        """Round a weight, put its parts into the file, and go on with what the file holds."""
        codes, scale, zero, weight = rounded(owner.weight, bits, group, hessian)
        parts.update({f"{name}.codes{bits}": codes, f"{name}.scale": scale, f"{name}.zero": zero})
        owner.weight.copy_(weight)

    def on_arrival(name: str):
        """A hook that rounds a Linear as its input comes, after all that was rounded before it."""

        def hook(linear, inputs) -> None:
            x = inputs[0].flatten(0, 1).float()  # [tokens, in]
            pack(name, linear, 3, 64, hessian=x.T @ x)

        return hook

    with torch.no_grad():
        pack("model.embed_tokens.weight", model.get_input_embeddings(), 4, 32)
        hooks = []
        for name, linear in linears.pruned_linears(model).items():
            if "gate" in name or "up" in name:  # two fifths of all weights, and they bear it best
                hooks.append(linear.register_forward_pre_hook(on_arrival(f"{name}.weight")))
            else:
                pack(f"{name}.weight", linear, 4, 32)  # the grid on which it arrived: nothing is lost
        try:
            model.model(torch.cat(list(batches)).to(model.device), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
    return parts


def rounded(weight: torch.Tensor, bits: int, group: int, hessian=None) -> tuple[torch.Tensor, ...]:
    """Codes uint8 [rows, columns], scale and zero [rows, groups], and the weight that they make.

    With the Hessian of its inputs, [columns, columns], each column's error is made up for by those that are
    still to be rounded. Source: Frantar et al. 2023, algorithm 1.
    """
    left = weight.float().T.contiguous()  # [columns, rows]: a column lies in one piece
    columns = len(left)
    group = next(size for size in range(min(group, columns), 0, -1) if columns % size == 0)
    block = next(size for size in (32, 16, 8, 4, 2, 1) if group % size == 0)
    upper = torch.eye(columns, device=weight.device)
    if hessian is not None:
        damp = 0.01 * hessian.diagonal().mean()
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian + damp * upper))
        upper = torch.linalg.cholesky(inverse, upper=True)
    codes, scales, zeros = torch.empty_like(left, dtype=torch.uint8), [], []
    for start in range(0, columns, block):
        if start % group == 0:
            scale, zero = grid(left[start : start + group], bits)
            scales.append(scale)
            zeros.append(zero)
        own, end = left[start : start + block], start + block
        errors = torch.empty_like(own)
        for place in range(block):
            code = ((own[place] - zero) / scale).round().clamp(0, 2**bits - 1)
            codes[start + place] = code.to(torch.uint8)
            exact = scale * code + zero
            to_others = upper[start + place, start + place :]  # its own entry first
            errors[place] = (own[place] - exact) / to_others[0]
            own[place + 1 :] -= to_others[1 : block - place, None] * errors[place]
            own[place] = exact
        left[end:] -= upper[start:end, end:].T @ errors
    return codes.T, torch.stack(scales, dim=1), torch.stack(zeros, dim=1), left.T


def grid(values: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and zero, [rows] each, of one group [size, rows]: of five ranges the one with the least error."""
    low, high = values.amin(dim=0), values.amax(dim=0)
    scale, zero, least = low, low, torch.full_like(low, torch.inf)
    for share in (1.0, 0.95, 0.9, 0.85, 0.8):
        start = (low * share).half().float()
        step = ((high - low) * share / (2**bits - 1)).clamp(min=1e-6).half().float()
        codes = ((values - start) / step).round().clamp(0, 2**bits - 1)
        error = (step * codes + start - values).square().sum(dim=0)
        better = error < least
        scale, zero = torch.where(better, step, scale), torch.where(better, start, zero)
        least = torch.minimum(error, least)
    return scale, zero
