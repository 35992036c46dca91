"""3.2 input_norms, made from solutions/03_wanda_calibration.py."""

import torch
from labsupport import linears
from labsupport.progress import bar
from labsupport.given.exercises import yours

sum_of_squares = yours("sum_of_squares")

@torch.no_grad()
def input_norms(model, batches) -> dict[str, torch.Tensor]:
    """L2 norm of every pruned Linear's input, per channel, over all tokens of all batches.

    batches: LongTensors [B, L] of token ids on any device, in an iterable that is read once; B and L may
    differ. Returns float32 [in_features] by the module's full name, `model.layers.0.self_attn.q_proj`.
    Only sums are kept from one batch to the next. No hook is left on the model, also after an error,
    which comes through; weights and mode are as they were. Source: Wanda (Sun et al. 2024), equation 1.
    """
    squares, handles = {}, []

    def watch(name, linear):
        squares[name] = torch.zeros(linear.in_features, device=linear.weight.device)

        def add(_module, inputs):
            squares[name] += sum_of_squares(inputs[0])

        handles.append(linear.register_forward_pre_hook(add))

    for name, linear in linears.pruned_linears(model).items():
        watch(name, linear)
    try:
        for batch in bar(batches, "calibration"):
            model.model(batch.to(model.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return {name: total.sqrt() for name, total in squares.items()}
