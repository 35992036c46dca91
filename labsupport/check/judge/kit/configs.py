"""Small random configs of a Llama, as the plain numbers that a message holds."""

import random
from collections.abc import Sequence


def grouped(source: random.Random, heads: Sequence[tuple[int, int]], depths: Sequence[int]) -> dict:
    """A Llama with fewer KV heads than query heads, its heads wider than hidden_size / heads.

    heads: pairs of query heads and KV heads; depths: numbers of layers. One of each is drawn.
    """
    query_heads, kv_heads = source.choice(heads)
    return {
        "vocab_size": source.randrange(17, 40),
        "hidden_size": source.choice((2, 4)) * query_heads,
        "intermediate_size": source.randrange(5, 14),
        "num_hidden_layers": source.choice(depths),
        "num_attention_heads": query_heads,
        "num_key_value_heads": kv_heads,
        "head_dim": source.choice((6, 10, 14)),
        "tie_word_embeddings": False,
    }
