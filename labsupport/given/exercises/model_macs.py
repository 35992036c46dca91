"""8.2 model_macs, made from solutions/08_cost.py."""

from labsupport.given.exercises import yours

linear_macs = yours("linear_macs")

def model_macs(config, tokens: int) -> int:
    """Multiply-accumulates of all Linear layers of a Llama for so many tokens, lm_head included.

    config: a transformers.LlamaConfig, all its decoder layers alike. Biases, norms, the embedding and
    attention's own products do not count.
    """
    hidden, channels = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    attention = 2 * linear_macs(queries, hidden, tokens) + 2 * linear_macs(keys, hidden, tokens)
    mlp = 3 * linear_macs(channels, hidden, tokens)
    return config.num_hidden_layers * (attention + mlp) + linear_macs(config.vocab_size, hidden, tokens)
