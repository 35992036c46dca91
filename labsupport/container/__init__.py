"""The course's container: a whole pruned and quantised Llama in one file, whose every byte counts.

What goes in is a dict of tensors. A weight is there as it is, under its own name, or in parts:

    NAME                [rows, columns]   float32, float16 or bfloat16, stored in that type
    NAME.codes4         [rows, columns]   uint8 below 2**4, stored in 4 bits each; 1 to 8 bits
    NAME.scale          [rows, groups]    each group of a row: columns / groups neighbours; stored in float16
    NAME.zero           [rows, groups]    the value of code 0, stored in float16
    NAME.mask           [rows, columns]   bool, True = keep; what it drops is 0, and has no value and no code
    NAME.left, .right   [rows, rank], [rank, columns]   their product is added; stored in float16
    dropped             [n]               the numbers of the decoder blocks that are not in the file

A weight is `scale * code + zero`; without `.zero` it is `scale * (code - 2**(bits - 1))`. There may be
fewer rows and columns than the model has, where a whole channel or a whole KV group is gone. A tied head is
not stored.

The file, byte by byte; numbers are little-endian, matrices go row by row:

    0 to 7      the letters SPEAKS01
    8 to 11     the length of the table, uint32
    then        the table: JSON, {"dropped": [numbers of blocks], "weights": [{"name", "shape", ...}]}
    then        for each weight of the table, in its order, without gaps, those of these that it has:
                  mask     1 bit each, or 2:4: three groups of four in a byte, a + 6 b + 36 c, each the
                           number, 0 to 5, of the pair kept: 01 02 03 12 13 23
                  values   in their type, or codes in so many bits; of the kept weights alone
                  scale, zero, left, right    float16
    nothing     follows

A file comes from a stranger. `read` refuses whatever does not fit the model's shapes before anything is
decoded; so a decoded weight is never larger than the model's, and only one exists at a time.
"""

from labsupport.container.reading import File, read, restore
from labsupport.container.table import Refused
from labsupport.container.writing import encode

__all__ = ["File", "Refused", "encode", "read", "restore"]
