"""10.4 distill_loss, made from solutions/10_depth.py."""

import torch

def distill_loss(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, token_ids: torch.Tensor, temperature: float
) -> torch.Tensor:
    """T squared times the mean divergence of the student's guesses from the teacher's: float32 [].

    Logits: [B, L, V]; token_ids: LongTensor [B, L]. The mean runs over the B * (L - 1) guesses that have a target, as in
    lab 01. The teacher gets no gradient. Source: Hinton et al. 2015, section 2.
    """

    def guesses(logits: torch.Tensor) -> torch.Tensor:
        return (logits[:, :-1].float() / temperature).log_softmax(dim=-1)  # [B, L - 1, V]

    student, teacher = guesses(student_logits), guesses(teacher_logits.detach())
    divergence = (teacher.exp() * (teacher - student)).sum()
    return temperature**2 * divergence / token_ids[:, 1:].numel()
