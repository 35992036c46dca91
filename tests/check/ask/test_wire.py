"""Answers travel as plain data or not at all."""

import contextlib
import math
import pickle
import socket
import struct
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labsupport.check.ask import wire
from labsupport.check.ask.call import call

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
DTYPES = [torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64]


@given(PLAIN)
def test_plain_data_arrives_as_it_was(value):
    """Whatever an honest answer is made of comes out as it went in, types included."""
    assert wire.unpack(wire.pack(value)) == value


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 5), (1, 9, 2)])
def test_tensors_arrive_to_the_last_bit(dtype, shape):
    """A mask of 17 entries has 17 entries on the other side, and not 24."""
    tensor = (torch.arange(torch.Size(shape).numel()).view(shape) % 3).to(dtype)
    found = wire.unpack(wire.pack({"value": tensor}))["value"]
    assert found.dtype == dtype
    assert torch.equal(found, tensor)


def test_not_a_number_and_infinity():
    """JSON has no word for them; a student's answer may well be one."""
    found = wire.unpack(wire.pack([math.nan, math.inf, -math.inf]))
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf]


def test_strange_objects_arrive_as_names():
    """An object that equals everything, or runs code when it is unpickled, is a name on the other side."""

    class Everything:
        def __eq__(self, other):
            return True

        __hash__ = None

        def __reduce__(self):
            return print, ("unpickled",)

    found = wire.unpack(wire.pack([Everything(), print, {1: 2}, 2**200, object]))
    assert all(isinstance(item, wire.Opaque) for item in found)


def test_tensor_subclasses_are_stripped():
    """A tensor whose operators lie arrives as the bare tensor that it is."""

    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return True

    found = wire.unpack(wire.pack({"value": torch.zeros(3).as_subclass(Liar)}))["value"]
    assert type(found) is torch.Tensor
    assert found.tolist() == [0, 0, 0]


MATRIX = torch.eye(4)
LAYOUTS = {
    "sparse": MATRIX.to_sparse,
    "by rows": MATRIX.to_sparse_csr,
    "by blocks": lambda: MATRIX.to_sparse_bsr((2, 2)),
    "of oneDNN": MATRIX.to_mkldnn,
    "nested": lambda: torch.nested.nested_tensor([MATRIX, MATRIX[:1]]),
    "ragged": lambda: torch.nested.nested_tensor([MATRIX, MATRIX[:1]], layout=torch.jagged),
    "quantised": lambda: torch.quantize_per_tensor(MATRIX, 0.1, 0, torch.qint8),
    "nowhere": lambda: MATRIX.to("meta"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_tensor_of_another_layout_is_a_name(kind):
    """A function that returns one is wrong, not unwritten: its answer arrives, and says what it was."""
    tensor = LAYOUTS[kind]()
    for value in (tensor, torch.nn.Parameter(tensor, requires_grad=False)):
        answer = call(lambda _x, value=value: value, {"x": 1})
        assert answer.error is None
        found = wire.unpack(wire.pack({"value": answer.value}))["value"]
        assert isinstance(found, wire.Opaque) and "tensor with layout" in found.type_name


def test_every_text_can_be_written_down():
    """Half a surrogate pair in a name or an error ends no grading when the verdict is kept."""
    found = wire.unpack(wire.pack({"\ud800": "a\udfff", "error": [wire.Opaque("\ud800")]}))
    assert str(found).encode()
    assert found["?"] == "a?"


def test_nesting_ends():
    """A list that contains itself does not hang the client."""
    endless = []
    endless.append(endless)
    assert "nested too deeply" in str(wire.unpack(wire.pack(endless)))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00" * 16,
        pickle.dumps({"value": 1}),
        struct.pack("<QQ", 2**60, 2**60),
        struct.pack("<QQ", 2, 0) + b"{}",
        wire.pack({"value": torch.ones(4)})[:-3],
    ],
)
def test_other_bytes_are_refused(message):
    """Pickle, garbage and half a message end as WireError, and as nothing else."""
    with pytest.raises(wire.WireError):
        wire.unpack(message)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_examiner(data):
    """Random bytes are refused, never an error of another kind."""
    header = struct.pack("<QQ", len(data), 0)
    for message in (data, header + data):
        with contextlib.suppress(wire.WireError):
            wire.unpack(message)


def test_lying_tensors_are_refused():
    """A header that claims another shape or type than the bytes have is no message."""
    honest = wire.pack({"value": torch.ones(4)})
    for old, new in ((b'"shape": [4]', b'"shape": [9]'), (b"torch.float32", b"torch.float64")):
        assert old in honest
        with pytest.raises(wire.WireError):
            wire.unpack(honest.replace(old, new))


def test_gigabytes_are_refused_before_they_are_read():
    """The length alone is enough to refuse a message; nothing is allocated for it."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(struct.pack("<Q", 2**40))
        with pytest.raises(wire.WireError, match="are allowed"):
            wire.receive(here)


def test_a_slow_sender_is_late():
    """One byte now and then keeps no examiner waiting for ever."""
    import time

    here, there = socket.socketpair()
    stop = threading.Event()

    def drip():
        while not stop.wait(0.05):
            there.send(b"\x01")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises((TimeoutError, wire.WireError)):
            wire.receive(here, deadline=time.monotonic() + 0.3)
    finally:
        stop.set()
        thread.join()
        here.close()
        there.close()
