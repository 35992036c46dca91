"""6.3 recover, made from solutions/06_recovery.py."""

import itertools
import torch
from labsupport import linears
from peft import LoraConfig, get_peft_model

def recover(model, batches: list[torch.Tensor], steps: int, learning_rate: float) -> list[float]:
    """Train LoRA matrices (r = 8) beside every Linear of the decoder layers and merge them, in place.

    batches: LongTensors [B, L] of token ids, repeated if there are more steps. Returns the loss of
    every step. Zeros of the weights stay zeros; embeddings, norms and lm_head are untouched; no adapter
    is left in the model.
    """
    masks = {name: linear.weight != 0 for name, linear in linears.pruned_linears(model).items()}
    lora = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=list(masks)))
    trained = [weight for weight in lora.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate)
    losses = []
    for batch in itertools.islice(itertools.cycle(batches), steps):
        batch = batch.to(model.device)
        loss = lora(input_ids=batch, labels=batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    lora.merge_and_unload()
    linears.apply_masks(model, masks)
    return losses
