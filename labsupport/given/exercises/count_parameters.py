"""5.1 count_parameters, made from solutions/05_structured_pruning.py."""

def count_parameters(config) -> int:
    """How many weights a Llama of this config has.

    config: a LlamaConfig. Grouped-query attention and tied embeddings are counted right; no biases.
    """
    hidden, head_dim = config.hidden_size, config.head_dim
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    attention = hidden * head_dim * (2 * heads + 2 * kv_heads)  # q and o, k and v
    mlp = 3 * hidden * config.intermediate_size
    norms = 2 * hidden
    vocabularies = 1 if config.tie_word_embeddings else 2  # embedding, and the head if it is untied
    layers = config.num_hidden_layers * (attention + mlp + norms)
    return layers + hidden + vocabularies * config.vocab_size * hidden
