"""10.5 distill, made from solutions/10_depth.py."""

import itertools
import torch
from labsupport import linears
from peft import LoraConfig, get_peft_model
from labsupport.given.exercises import yours

distill_loss = yours("distill_loss")

def distill(student, teacher, batches: list[torch.Tensor], steps: int, learning_rate: float) -> list[float]:
    """Train LoRA matrices (r = 8) in the student on the teacher's guesses at T = 2, and merge them, in place.

    batches: LongTensors [B, L] of token ids, begun again when there are more steps than batches. Returns the loss of every
    step. The teacher does not change; no adapter is left in the student. Source: Muralidharan et al. 2024.
    """
    names = list(linears.pruned_linears(student))
    lora = get_peft_model(student, LoraConfig(r=8, lora_alpha=16, target_modules=names))
    trained = [weight for weight in lora.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate)
    losses = []
    for batch in itertools.islice(itertools.cycle(batches), steps):
        batch = batch.to(student.device)
        with torch.no_grad():
            wanted = teacher(input_ids=batch).logits
        loss = distill_loss(lora(input_ids=batch).logits, wanted, batch, temperature=2.0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    lora.merge_and_unload()
    return losses
