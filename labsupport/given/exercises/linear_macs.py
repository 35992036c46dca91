"""8.1 linear_macs, made from solutions/08_cost.py."""

def linear_macs(out_features: int, in_features: int, tokens: int) -> int:
    """Multiply-accumulates of one Linear layer for so many tokens."""
    return out_features * in_features * tokens
