"""11.4 unpack_bits, made from solutions/11_on_device.py."""

import torch

def unpack_bits(packed: torch.Tensor, bits: int, count: int) -> torch.Tensor:
    """The codes that pack_bits has packed: uint8 [count].

    packed: uint8 [ceil(count * bits / 8)]. Raises ValueError for another number of bytes.
    """
    if len(packed) != -(-count * bits // 8):
        raise ValueError(f"{count} codes of {bits} bits do not take {len(packed)} bytes")
    flags = torch.stack([packed >> place & 1 for place in reversed(range(8))], dim=1).flatten()  # [8 * bytes]
    flags = flags[: count * bits].view(count, bits)
    return sum(flags[:, place] << bits - 1 - place for place in range(bits))
