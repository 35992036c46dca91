"""11.3 pack_bits, made from solutions/11_on_device.py."""

import torch
from torch.nn import functional

def pack_bits(codes: torch.Tensor, bits: int) -> torch.Tensor:
    """Codes of so many bits side by side in bytes: uint8 [ceil(n * bits / 8)].

    codes: uint8 of any shape, n in all, row after row; each has its highest bit first, and zeros fill the last
    byte. Raises ValueError for a code that does not fit into `bits` bits.
    """
    if bool((codes.int() >= 2**bits).any()):  # 256 is no uint8
        raise ValueError(f"a code is too large for {bits} bits")
    codes = codes.flatten()
    flags = torch.stack(
        [codes >> place & 1 for place in reversed(range(bits))], dim=1
    ).flatten()  # [n * bits]
    flags = functional.pad(flags, (0, -len(flags) % 8)).view(-1, 8)  # [bytes, 8]
    return sum(flags[:, place] << 7 - place for place in range(8))
