"""The three prompts: does each model get its own answer, and is it the likeliest one?"""

import pytest
import torch

from labsupport import models, prompts


@pytest.fixture(scope="module")
def tiny():
    return models.load("tiny"), models.tokenizer("tiny")


def test_the_answer_is_greedy_and_without_the_prompt(tiny):
    """A sampled answer would change from run to run, and two models could not be compared."""
    model, tokenizer = tiny
    found = prompts.written(model, tokenizer)
    assert tuple(found) == prompts.PROMPTS
    tokens = tokenizer(prompts.PROMPTS[0], return_tensors="pt")["input_ids"]
    length = tokens.shape[1]
    for _ in range(prompts.TOKENS):
        with torch.no_grad():
            best = model(tokens).logits[:, -1].argmax(dim=-1)
        tokens = torch.cat([tokens, best[:, None]], dim=1)
        if best.item() == model.generation_config.eos_token_id:
            break
    assert found[prompts.PROMPTS[0]] == tokenizer.decode(tokens[0, length:])


def test_every_model_stands_below_every_prompt():
    """Nobody compares what stands pages apart; what breaks a line is escaped."""
    texts = {
        name: {prompt: f"{name}\n{prompt}" for prompt in prompts.PROMPTS} for name in ("dense", "l1, 35%")
    }
    lines = prompts.side_by_side(texts).splitlines()
    assert len(lines) == len(prompts.PROMPTS) * 3
    assert lines[0] == f"{prompts.PROMPTS[0]} ..."
    assert [line.index("'") for line in lines if "'" in line] == [len("  l1, 35%  ")] * len(
        prompts.PROMPTS
    ) * 2
