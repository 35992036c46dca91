"""What a model writes after three prompts: how it fails, which no perplexity tells."""

import torch
from transformers import PreTrainedTokenizerFast

PROMPTS = ("The capital of France is", "Once upon a time, there was", "To make a cup of tea, first")
TOKENS = 16  # of each answer


@torch.no_grad()
def written(model, tokenizer: PreTrainedTokenizerFast) -> dict[str, str]:
    """The text that a LlamaForCausalLM writes after each of PROMPTS, by greedy decoding, by prompt."""
    found = {}
    for prompt in PROMPTS:
        asked = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False).to(model.device)
        tokens = model.generate(**asked, max_new_tokens=TOKENS, do_sample=False)  # [1, prompt + TOKENS]
        found[prompt] = tokenizer.decode(tokens[0, asked["input_ids"].shape[1] :])
    return found


def side_by_side(texts: dict[str, dict[str, str]]) -> str:
    """Each prompt with a line for every model below it: model -> the answer of `written`."""
    width = max(map(len, texts))
    blocks = [
        "\n".join([f"{prompt} ...", *(f"  {name:{width}}  {text[prompt]!r}" for name, text in texts.items())])
        for prompt in PROMPTS
    ]
    return "\n".join(blocks)
