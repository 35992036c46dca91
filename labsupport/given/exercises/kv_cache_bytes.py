"""8.4 kv_cache_bytes, made from solutions/08_cost.py."""

def kv_cache_bytes(config, tokens: int, dtype_bytes: int) -> int:
    """Bytes of the keys and values of so many tokens of one text, over all layers.

    config: a transformers.LlamaConfig, all its decoder layers alike; dtype_bytes: bytes of one number.
    """
    keys = config.num_key_value_heads * config.head_dim  # numbers a token, in one layer
    return config.num_hidden_layers * 2 * keys * tokens * dtype_bytes
