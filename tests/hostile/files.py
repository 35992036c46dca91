"""Hostile files for the challenge of lab 12: bombs, wrong shapes, lying headers, code.

An entry makes of a right file the bytes that a student's process sends in its place; `says` is a phrase of
the sentence that answers it. A file is data: none of them is ever decoded further than its first lie.
"""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable

LAB = "12_challenge"
FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {}


def entry(says: str):
    """Enter the function below under its name."""

    def enter(function):
        FILES[function.__name__] = (function, says)
        return function

    return enter


def changed(file: bytes, change: Callable[[dict], object]) -> bytes:
    """The file with another table in front of the same sections."""
    end = 12 + int.from_bytes(file[8:12], "little")
    table = json.loads(file[12:end])
    change(table)
    text = json.dumps(table).encode()
    return file[:8] + len(text).to_bytes(4, "little") + text + file[end:]


# Bombs


@entry("no file of the course")
def zip_of_a_hundred_megabytes(_file: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as folder:
        folder.writestr("model", bytes(10**8))
    return buffer.getvalue()


@entry("cannot be read")
def table_nested_a_million_times(_file: bytes) -> bytes:
    return b"SPEAKS01" + (10**6).to_bytes(4, "little") + b"[" * 10**6


@entry("1,048,576 are allowed")
def table_of_four_gigabytes(file: bytes) -> bytes:
    return file[:8] + b"\xff\xff\xff\xff" + file[12:]


@entry("is (2147483648, 2147483648), not")
def weight_of_an_exabyte(file: bytes) -> bytes:
    return changed(file, lambda table: table["weights"][0].update(shape=[2**31, 2**31]))


@entry("the smaller side")
def rank_of_two_billions(file: bytes) -> bytes:
    return changed(file, lambda table: table["weights"][0].update(rank=2**31))


@entry("cannot be read")
def table_of_a_hundred_thousand_weights(file: bytes) -> bytes:
    return changed(file, lambda table: table["weights"].extend([{"name": "a"}] * 50_000))


@entry("it is too large")
def more_bytes_than_are_read(file: bytes) -> bytes:
    return file + bytes(96_000_001)


# Lies


@entry("is (48, 256), not (256, 48)")
def weight_that_is_transposed(file: bytes) -> bytes:
    def turn(table: dict) -> None:
        wide = next(each for each in table["weights"] if len(set(each["shape"])) == 2)
        wide["shape"] = wide["shape"][::-1]

    return changed(file, turn)


@entry("too early")
def weight_that_needs_more_than_is_there(file: bytes) -> bytes:
    return file[:-1]


@entry("are left over")
def bytes_behind_the_last_weight(file: bytes) -> bytes:
    return file + b"the answers of the others"


@entry("twice")
def one_weight_twice(file: bytes) -> bytes:
    return changed(file, lambda table: table["weights"].append(table["weights"][0]))


@entry("missing")
def one_weight_less(file: bytes) -> bytes:
    return changed(file, lambda table: table["weights"].pop())


@entry("one block at least must stay")
def no_block_left(file: bytes) -> bytes:
    return changed(file, lambda table: table.update(dropped=[0, 1]))


@entry("NaN or infinity")
def numbers_without_end(file: bytes) -> bytes:
    return file[:-4] + b"\x00\x00\x80\x7f"  # infinity in float32


# Code


class Runs:
    """What is unpickled runs a command."""

    def __reduce__(self):
        return os.system, ("touch /tmp/was-run; kill -9 $PPID",)


@entry("no file of the course")
def pickle_that_runs(_file: bytes) -> bytes:
    return pickle.dumps(Runs())


@entry("cannot be read")
def table_that_names_a_program(file: bytes) -> bytes:
    return changed(file, lambda table: table["weights"][0].update(code="__import__('os').abort()"))
