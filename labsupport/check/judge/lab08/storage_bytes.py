"""storage_bytes: the bytes that a sparse matrix takes on a disk, in four formats."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_whole, kind
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import many
from labsupport.given import packing

FORMATS = see("8.3", "Four formats")
KEPT = see("8.3", "How many stay?")
DTYPES = {1: torch.int8, 2: torch.float16, 4: torch.float32, 8: torch.float64}  # by the bytes of a value
STORED = {
    "dense": "every weight, zeros too",
    "bitmask": "the values kept, and one bit for every weight, kept or not",
    "csr": "the values kept, an int32 column for each, and rows + 1 int32 pointers",
    "2:4": "the values kept, and 2 bits for the place of each",
}


def cases(seed: int) -> list[Case]:
    """Shapes and sparsities on which rounding shows, the ends of the range, and what must be refused."""
    source = draw.rng(seed, "storage_bytes")

    def asked(shape: tuple[int, int], sparsity: float, formats, dtype_bytes: int) -> dict:
        some = {"format": formats} if isinstance(formats, str) else {"formats": list(formats)}
        return {"shape": shape, "sparsity": sparsity, **some, "dtype_bytes": dtype_bytes}

    loose = ("dense", "bitmask", "csr")
    small = source.choice(((7, 4), (9, 4), (11, 4), (3, 12), (5, 12)))
    truncating = draw.truncating_sparsity(source, 110)
    odd = source.choice([s / 100 for s in range(10, 90) if 0.1 < s / 100 * 77 % 1 < 0.4])
    byte = asked((source.randrange(3, 9), 20), 0.5, ("2:4", "bitmask"), 1)
    half = asked((8, 8), 0.5, "2:4", 4)
    return [
        Case("a small matrix at 50 %, 2 bytes a value", asked(small, 0.5, (*loose, "2:4"), 2)),
        Case(f"10 x 11 at {truncating:.0%}, 4 bytes a value", asked((10, 11), truncating, loose[1:], 4)),
        Case(f"7 x 11 at {odd:.0%}, 8 bytes a value", asked((7, 11), odd, loose, 8)),
        Case("7 x 11 at 50 %: half a weight is rounded", asked((7, 11), 0.5, loose, 2)),
        Case("nothing dropped", asked((6, 10), 0.0, loose, 4)),
        Case("everything dropped", asked((6, 10), 1.0, loose, 2)),
        Case("2:4 with 1 byte a value", byte),
        Case("a larger matrix at 70 %", asked((96, 256), 0.7, loose, 4)),
        Case("an unknown format raises ValueError", {**half, "format": "zip"}, "ValueError"),
        Case("a sparsity of 1.2 raises ValueError", asked((4, 6), 1.2, "dense", 4), "ValueError"),
        Case("a negative sparsity raises ValueError", asked((4, 6), -0.1, "csr", 4), "ValueError"),
        Case("2:4 at 40 % raises ValueError", {**half, "sparsity": 0.4}, "ValueError"),
        Case("2:4 with 6 inputs raises ValueError", {**half, "shape": (4, 6)}, "ValueError"),
    ]


def packed_bytes(shape: tuple[int, int], kept: int, form: str, dtype_bytes: int) -> int:
    """The bytes that a real matrix with so many kept weights takes when it is packed."""
    weight = torch.zeros(shape, dtype=DTYPES[dtype_bytes])  # [out, in]
    if form == "2:4":
        weight.view(-1, 4)[:, :2] = 1
    else:
        weight.view(-1)[:kept] = 1
    return packing.bytes_of(packing.packed(weight, form))


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the bytes of each format."""
    shape, sparsity, formats, dtype_bytes = inputs.values()
    found, count = answer.value, shape[0] * shape[1]
    kept = count - round(sparsity * count)

    def typed() -> None:
        if not isinstance(found, dict):
            raise Wrong(kind(found))
        for form in formats:
            is_whole(found.get(form), f"that of {form}")

    def right(form: str) -> None:
        if found[form] != packed_bytes(shape, kept, form, dtype_bytes):
            raise Wrong(
                shape=f"{shape[0]} x {shape[1]} = {count:,} weights, {many(dtype_bytes, 'byte')} a value",
                sparsity=sparsity,
                weights_kept=f"{kept:,}",
                format=form,
                your_answer=many(found[form], "byte"),
                stored=STORED[form],
            )

    return [
        Part("whole numbers of bytes (int)", typed),
        *(Part(f"{form}: {STORED[form]}", lambda form=form: right(form)) for form in formats),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that the bytes of the first wrong format show."""
    if not isinstance(answer.value, dict):
        return
    shape, sparsity, formats, dtype_bytes = inputs.values()
    count = shape[0] * shape[1]
    kept = count - round(sparsity * count)
    for form in formats:
        found, right = answer.value[form], packed_bytes(shape, kept, form, dtype_bytes)
        if not isinstance(found, int | float):
            return
        if found == right:
            continue
        for other, said in miscounted(sparsity, count):
            if form != "dense" and other != kept and found == packed_bytes(shape, other, form, dtype_bytes):
                yield looks(said)
        values = kept * dtype_bytes
        for extra, said in extras(form, shape, kept, dtype_bytes):
            if found - values == extra:
                yield looks(said)
        if found == 8 * right:
            yield looks(f"the answer is in bits; eight of them are a byte, {FORMATS}")
        if form == "dense" and found == values:
            yield looks(f"the zeros were left out. Dense storage writes them down too, {FORMATS}")
        if form != "dense" and found == right + (count - kept) * dtype_bytes:
            yield looks(f"the zeros were stored as well; only kept values are, {FORMATS}")
        if form not in ("dense", "2:4") and found == packed_bytes(shape, count - kept, form, dtype_bytes):
            yield looks(f"the sparsity was taken for the share that stays, not that goes, {KEPT}")
        return  # the numbers shown are those of the first format that is wrong


def miscounted(sparsity: float, count: int) -> Iterator[tuple[int, Named]]:
    """The number of kept weights that each way of rounding comes to, and its name."""
    rest = f"the kept weights were rounded. Those that go are; the others are kept, {KEPT}"
    yield round((1 - sparsity) * count), rest
    cut = (
        f"int() cut {sparsity} of {count} weights down, or ceil() lifted {1 - sparsity:g} of them: one too "
        f"few goes. round() those that go, {KEPT}"
    )
    yield count - int(sparsity * count), Cause(cut, "int instead of round")
    up = (
        f"int() cut {1 - sparsity:g} of {count} weights down, or ceil() lifted {sparsity} of them: one too "
        f"many goes. round() those that go, {KEPT}"
    )
    yield int((1 - sparsity) * count), Cause(up, "int of the kept weights")


def extras(form: str, shape: tuple[int, int], kept: int, dtype_bytes: int) -> Iterator[tuple[int, Named]]:
    """The bytes besides the values that each mistake comes to, and its name."""
    rows, columns = shape
    count = rows * columns
    if form in ("bitmask", "2:4"):
        what = "mask" if form == "bitmask" else "places of the kept values"
        yield 0, f"the bytes of the {what} are missing; the values cannot be unpacked without them, {FORMATS}"
        yield count // 8, f"the bits were rounded down; part of a byte takes a whole one, {FORMATS}"
    if form == "bitmask":
        yield count, f"bits were added to bytes: eight flags fit into one byte, {FORMATS}"
        some = f"only kept weights have a bit; the mask has one for every weight, {FORMATS}"
        yield -(-kept // 8), some
        by_row = f"every row was rounded up to bytes; the mask is rounded once, {FORMATS}"
        yield rows * -(-columns // 8), by_row
    if form == "2:4":
        four = (
            "4 bits were spent on each place, or 2 on every weight, dropped ones too. "
            f"A place is one of four, and only kept values have one, {FORMATS}"
        )
        yield -(-kept * 4 // 8), four
        yield -(-kept // 8), f"1 bit was spent on each place. It is one of four, so it takes 2, {FORMATS}"
        yield 2 * kept, f"bits were added to bytes: four places fit into one byte, {FORMATS}"
    if form == "csr":
        no_pointers = f"the row pointers were forgotten: columns alone do not say where a row ends, {FORMATS}"
        yield 4 * kept, no_pointers
        one_less = f"one row pointer is missing: {rows} rows need {rows + 1}, {FORMATS}"
        yield 4 * kept + 4 * rows, Cause(one_less, "one row pointer is missing")
        by_column = f"columns were compressed: the pointers of CSR belong to rows, {FORMATS}"
        yield 4 * kept + 4 * (columns + 1), by_column
        long = f"indices took 8 bytes, as torch's int64 do. Here they are int32, {FORMATS}"
        yield 8 * kept + 8 * (rows + 1), long
        coo = f"each value has a row and a column (that is COO); CSR has one pointer a row, {FORMATS}"
        yield 8 * kept, coo
        for size in (2, 8):
            columns_alone = f"a column took {size} bytes. It is an int32, as the pointers are: 4, {FORMATS}"
            yield size * kept + 4 * (rows + 1), Cause(columns_alone, "columns of another size")
        as_values = f"indices were given the bytes of a value; they are int32, {FORMATS}"
        yield dtype_bytes * (kept + rows + 1), as_values
        yield 4 * kept + rows + 1, f"each row pointer was given one byte; it is an int32, {FORMATS}"


EXERCISE = Exercise("storage_bytes", "8.3", cases, parts, cause)
