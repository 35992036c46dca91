"""8.2 attention_macs, made from solutions/08_cost.py."""

def attention_macs(config, tokens: int) -> int:
    """Multiply-accumulates of attention's own two products, over all layers, for one text of so many tokens.

    config: a transformers.LlamaConfig, all its decoder layers alike. Every position meets every position,
    as torch's counter has it.
    """
    one_product = tokens * config.head_dim * tokens  # [T, D] by [D, T], or [T, T] by [T, D]
    return config.num_hidden_layers * config.num_attention_heads * 2 * one_product
