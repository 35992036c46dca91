"""9.4 prune_sparsegpt, made from solutions/09_sparsegpt.py."""

import torch
from functools import partial
from labsupport import linears
from labsupport.given.exercises import yours

hessian = yours("hessian")
sparsegpt_layer = yours("sparsegpt_layer")

@torch.no_grad()
def prune_sparsegpt(
    model, batches: list[torch.Tensor], sparsity: float, pattern: tuple[int, int] | None = None
) -> dict[str, torch.BoolTensor]:
    """Prune every Linear of the decoder layers by SparseGPT, in place, each on what the pruned ones before it send.

    batches: LongTensors [B, L] of token ids, of one length. Blocks and damping are sparsegpt_layer's own; pattern: as
    there. Returns the masks by full module name, True = keep. Embeddings, norms and lm_head stay as they are.
    """
    masks, hooks = {}, []

    def solve(name: str, linear, inputs: tuple) -> None:  # inputs[0]: [B, L, in]
        new, masks[name] = sparsegpt_layer(linear.weight, hessian(inputs[0]), sparsity, pattern=pattern)
        linear.weight.copy_(new)

    try:
        for name, linear in linears.pruned_linears(model).items():
            hooks.append(linear.register_forward_pre_hook(partial(solve, name)))
        model.model(torch.cat(batches).to(model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return masks
