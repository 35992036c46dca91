"""11.7 tokens_per_second, made from solutions/11_on_device.py."""

from labsupport.given.macs import model_macs
from labsupport.given.exercises import yours

bits_per_weight = yours("bits_per_weight")

def tokens_per_second(config, bits_per_weight: float, bandwidth: float, context: int) -> float:
    """The most tokens that a model can write in a second when reading its weights is what one waits for.

    config: a transformers.LlamaConfig, all its decoder layers alike; bits_per_weight: of every Linear weight,
    lm_head included; bandwidth: bytes per second; context: tokens in the KV cache, which is float16.
    """
    weights = model_macs(config, 1)  # each weight multiplies once for a token
    keys = config.num_hidden_layers * config.num_key_value_heads * config.head_dim * context
    return bandwidth / (weights * bits_per_weight / 8 + 2 * keys * 2)
