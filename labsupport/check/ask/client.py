"""Answers cases with a student's function: the examiner's over its socket, or one in this process."""

import socket
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from labsupport.check.ask import wire
from labsupport.check.ask.answer import plain
from labsupport.check.ask.call import call
from labsupport.check.ask.surroundings import usual


def ask_of(exercise: str) -> Callable:
    """The function that answers a case of this exercise: `ask` of own/EXERCISE.py, else `call`.

    Each case has the usual surroundings, whatever the function changed in an earlier one.
    """
    if not Path(__file__).with_name("own").joinpath(f"{exercise}.py").is_file():
        return usual()(call)
    return usual()(import_module(f"labsupport.check.ask.own.{exercise}").ask)


@usual()
def answer_examiner(exercise: str, function: Callable, address: str) -> None:
    """Answer cases until the examiner sends the end."""
    ask = ask_of(exercise)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        wire.send(connection, {"exercise": exercise})
        while (inputs := wire.receive(connection)["inputs"]) is not None:
            wire.send(connection, plain(ask(function, inputs)))


@usual()
def answer_here(exercise: str, function: Callable, inputs: dict):
    """One answer in this process, reduced to plain data like a message."""
    return wire.unpack(wire.pack(plain(ask_of(exercise)(function, inputs))))
