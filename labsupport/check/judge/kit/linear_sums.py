"""What follows for model_macs from the student's own linear_macs."""

from itertools import product

from labsupport.check.judge.kit.carried import Earlier
from labsupport.check.judge.kit.compare import is_whole


def linear_sums(inputs: dict, earlier: Earlier) -> set[int]:
    """The sums of the student's linear_macs over all Linear layers, each turned either way.

    MACs are the same for [out, in] and [in, out], and a function may rely on that.
    """
    config = inputs["config"]
    hidden, channels, depth = (
        config[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers")
    )
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]

    def macs(count: int, rows: int, columns: int) -> set[int]:
        """The MACs of `count` layers of one shape, either way."""
        sizes = [(rows, columns, inputs["tokens"]), (columns, rows, inputs["tokens"])]
        asked = [dict(zip(("out_features", "in_features", "tokens"), size, strict=True)) for size in sizes]
        return {count * earlier("linear_macs", is_whole, each) for each in asked}

    layers = [
        macs(depth, queries, hidden),  # q_proj
        macs(2 * depth, keys, hidden),  # k_proj, v_proj
        macs(depth, hidden, queries),  # o_proj
        macs(2 * depth, channels, hidden),  # gate_proj, up_proj
        macs(depth, hidden, channels),  # down_proj
        macs(1, config["vocab_size"], hidden),  # lm_head
    ]
    return {sum(each) for each in product(*layers)}
