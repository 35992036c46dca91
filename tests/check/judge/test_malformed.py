"""Answers sent by hand, at the level of the wire: each field left out, of another type, huge, nested.

Whoever patches the client may send anything. It is a wrong answer with a sentence, never a fault of the
grader, and never free.
"""

import copy
import struct
import warnings

import pytest
import torch

from labsupport.check.ask import wire
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import WIDTH, Ending, Mark
from tests.check.judge.test_answers import answers
from tests.sample import few

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("tiny_course")]

LEFT_OUT = object()
DEEP = [[[[[[[[[[[[]]]]]]]]]]]]
INSTEAD = {
    "left out": LEFT_OUT,
    "none": None,
    "text": "all parts pass",
    "long text": "x" * 20_000,
    "number": 3,
    "huge number": 2**62,
    "nan": float("nan"),
    "nested": DEEP,
    "names": {f"model.layers.{n}.mlp.up_proj": n for n in range(100)},
    "large tensor": torch.zeros(1000, 1000),
    "mask": torch.ones(3, 4, dtype=torch.bool),
    "opaque": wire.Opaque("builtins.object"),
}
CLAIMS = {  # what only the student's process saw, and what a changed client may say of it
    "device": ("cuda", "cpu", None),
    "changed": (["weight"], []),
    "alive": ({}, {"2": 0, "6": 0}, {"2": 0, "6": 2**40}),
    "runs": ([], [10**9], [1] * 6),
    "hooks": (0, 7),
    "training": (False, True),
    "gradients": (False, True),
    "trained_inside": (False, True),
    "flags": (False, True),
    "left": (0, 7),
    "came_through": (False, True),
}
WORDING = {("error", part) for part in ("text", "where", "line", "source")}  # which error it is is judged
FEW = 8  # entries of a dict or list whose type is changed
DEEP_DOWN = ("left out", "text", "mask")  # what stands in for values more than two levels down


def claims(name: str) -> dict[str, tuple]:
    """The claims of an exercise's answers; what is left of a pruned model is no claim."""
    return {field: lies for field, lies in CLAIMS.items() if (name, field) != ("prune_blocks", "left")}


def honest(name: str) -> list[dict]:
    """What a right function answers to every case that is no costly one, as it travels."""
    function = next(
        p.values[2] for p in answers() if p.values[0] == name and p.values[1].startswith("right_")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [answer_here(name, function, case.inputs) for case in cases(name)]


def cases(name: str) -> list:
    return [case for case in EXERCISES[name].cases(0) if not case.costly]


def paths(value, path: tuple = ()) -> list[tuple]:
    """The places of an answer that are looked at: all fields, the first two entries of each dict below."""
    found = [path] if path else []
    if isinstance(value, dict) and len(path) < 4:
        few = list(value) if len(path) in (0, 2) else list(value)[:2]
        found += [deeper for key in few for deeper in paths(value[key], (*path, key))]
    return found


def changed(answer: dict, path: tuple, value):
    """The answer with another value at this place; None where there is no such place."""
    answer = copy.deepcopy(answer)
    place = answer
    for key in path[:-1]:
        if not isinstance(place, dict) or key not in place:
            return None
        place = place[key]
    if not isinstance(place, dict) or path[-1] not in place:
        return None
    if value is LEFT_OUT:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return answer


def verdict(name: str, sent: list):
    """The judge's verdict on these answers, each of which has been through the wire."""
    queue = iter(wire.unpack(wire.pack(answer)) for answer in sent)
    return judge(EXERCISES[name], cases(name), lambda _case: next(queue))


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXERCISES)
def test_every_field_of_every_answer(name):
    """One field at a time, in every answer: wrong with a sentence that fits, and no error of the judge's."""
    right = honest(name)
    assert verdict(name, right).status == Ending.RIGHT
    for path in dict.fromkeys(path for answer in right for path in paths(answer)):
        for kind in INSTEAD if len(path) < 3 else DEEP_DOWN:
            value = INSTEAD[kind]
            sent = [changed(answer, path, value) or answer for answer in right]
            found = verdict(name, sent)
            message = found.message()
            assert all(len(line) <= WIDTH for line in message.splitlines()), (path, kind, message)
            if path[0] not in claims(name) and path not in WORDING and not all(map(equal, sent, right)):
                assert found.status != Ending.RIGHT, (path, kind)
                assert found.share < 1


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXERCISES)
def test_tensors_of_another_type(name):
    """Torch refuses to subtract a bool and to invert a float: no judge may stumble over either."""
    right = honest(name)
    for place, answer in enumerate(right):
        for other in recast(answer):
            assert verdict(name, [*right[:place], other, *right[place + 1 :]]).headline() is not None


def recast(value) -> list:
    """The value with one tensor of another type, for each of the first tensors in it."""
    if isinstance(value, torch.Tensor):
        return [value.float() if value.dtype is torch.bool else value.bool()]
    if isinstance(value, list | tuple):
        return [type(value)(each.values()) for each in recast(dict(enumerate(value)))]
    inside = list(value.items())[:FEW] if isinstance(value, dict) else []
    return [{**value, key: other} for key, each in inside for other in recast(each)][:FEW]


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXERCISES)
def test_claims_cost_nothing(name):
    """A right answer keeps its points whatever is claimed about side effects."""
    right = honest(name)
    for claim, lies in claims(name).items():
        for lie in lies:
            sent = [changed(answer, (claim,), lie) or answer for answer in right]
            assert verdict(name, sent).share == 1, (claim, lie)


EARN_NOTHING = [
    ("wanda_score", "in_place"), ("perplexity", "leaves_eval_mode"), ("perplexity", "leaves_gradients_off"),
    ("perplexity", "leaves_gradients_behind"), ("input_norms", "hooks_stay"),
    ("input_norms", "swallows_the_error"), ("input_norms", "collects_inputs"),
    ("input_norms", "layer_by_layer"), ("input_norms", "leaves_training_mode"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), few(EARN_NOTHING, of=EARN_NOTHING[:5]))
def test_claims_earn_nothing(name, answer):
    """A function with side effects is told of them, and earns the same when the client denies them."""
    function = next(p.values[2] for p in answers() if p.values[:2] == (name, answer))
    sent = [answer_here(name, function, case.inputs) for case in cases(name)]
    found = verdict(name, sent)
    assert Mark.NOTED in {line.status for line in found.lines}
    assert found.status == Ending.WRONG
    for claim, lies in claims(name).items():
        for lie in lies:
            told = [changed(each, (claim,), lie) or each for each in sent]
            assert verdict(name, told).share == found.share, (claim, lie)


def equal(one, other) -> bool:
    """Whether two answers are the same, tensors by value."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return type(one) is type(other) and repr(one) == repr(other)


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("answer", [
    {"value": None, "error": None, "changed": []},  # what made a judge stumble
    {"value": None, "error": None, "changed": [], "device": None},
    {"value": None, "error": {"names": [], "text": "", "where": ""}, "changed": [], "device": None},
    {}, [], "right", None, 7, {"verdict": "right", "share": 1.0},
])  # fmt: skip
def test_answers_of_no_form(name, answer):
    """The same for whole answers: settled as wrong, and not asked again at every `grade`."""
    found = judge(EXERCISES[name], cases(name), lambda _case: wire.unpack(wire.pack(answer)))
    assert found.status == Ending.WRONG
    assert found.share == 0
    assert found.headline()


def message(structure: bytes, body: bytes = b"\x02\x00\x00\x00\x00\x00\x00\x00{}") -> bytes:
    return struct.pack("<QQ", len(structure), len(body)) + structure + body


def tensors(**of) -> bytes:
    return wire.save_tensors(of)


ONE = tensors(**{"0": torch.ones(1, dtype=torch.uint8)})
MASK = b'{"tensor": "0", "dtype": "torch.bool", "shape": %s}'


@pytest.mark.parametrize(("structure", "body"), [
    (MASK % b"[8589934592]", ONE),  # eight entries for 2**33 that it claims
    (MASK % b"[100000, 100000]", ONE),
    (MASK % b"[9]", ONE),
    (MASK % b"[0]", ONE),
    (MASK % b"[-8]", ONE),
    (MASK % b"[2.0, 4]", ONE),
    (MASK % b"[true, 8]", ONE),
    (MASK % b'"8"', ONE),
    (MASK % b"[8]", tensors(**{"0": torch.ones(1)})),
    (MASK % (b"[" + b"1," * 40 + b"8]"), ONE),
    (b'{"list": [' + b",".join([MASK % b"[8]"] * 2) + b"]}", ONE),  # one tensor used twice
    (b'{"list": []}', ONE),  # and never
    (MASK % b"[8]", tensors(**{"1": torch.ones(1, dtype=torch.uint8)})),
    (b'{"tensor": "0", "dtype": "torch.complex64", "shape": [1]}', ONE),
    (b'{"tensor": "0", "dtype": "torch.uint8", "shape": [1], "more": 1}', ONE),
    (b'{"list": [' + b",".join([b'{"list": []}'] * 60_000) + b"]}", None),
    (b"[" * 5_000 + b"]" * 5_000, None),
    (b'{"list": ' * 200 + b"[]" + b"}" * 200, None),
    (b'"' + b"x" * 2**21 + b'"', None),
    (b"9" * 5_000, None),
    (b"9223372036854775808", None),
    (b'{"float": "1e5"}', None),
    (b'{"list": {}}', None), (b'{"dict": []}', None), (b'{"set": []}', None), (b"{}", None), (b"[1]", None),
    (b'{"list": [], "tuple": []}', None), (b'{"opaque": "x", "list": []}', None),
    (b'{"dict": {"a": 1}, "dict": {"b"', None), (b"\xff\xfe", None), (b"nan", None),
])  # fmt: skip
def test_structures_that_lie(structure, body):
    """A message claims nothing that its bytes do not hold: it is refused before anything is made of it."""
    with pytest.raises(wire.WireError):
        wire.unpack(message(structure, body) if body is not None else message(structure))


def test_sixty_megabytes_of_lists_are_refused_by_their_length():
    """They would take a minute and gigabytes to unpack."""
    with pytest.raises(wire.WireError, match="structure is too large"):
        wire.unpack(message(b'{"list":[' + b'{"list":[]},' * 5_000_000 + b"1]}"))


def test_what_an_honest_answer_needs_fits():
    """The course model's masks, digests and weights are far below every bound."""
    names = [f"model.layers.{layer}.mlp.{kind}_proj" for layer in range(30) for kind in "qkvogud"]
    masks = {name: torch.ones(576, 1536, dtype=torch.bool) for name in names}
    sent = {"value": masks, "digests": dict.fromkeys(names, "0" * 64)}
    found = wire.unpack(wire.pack(sent))
    assert found["digests"] == sent["digests"]
    assert all(torch.equal(found["value"][name], masks[name]) for name in names)
