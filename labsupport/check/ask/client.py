"""Answers cases with a student's function: the examiner's over its socket, or one in this process."""

import inspect
import socket
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from labsupport.check.ask import wire
from labsupport.check.ask.answer import plain
from labsupport.check.ask.call import call
from labsupport.check.ask.card import either_way
from labsupport.check.ask.surroundings import usual


def ask_of(exercise: str) -> Callable:
    """The function that answers a case of this exercise: `ask` of own/EXERCISE.py, else `call`.

    Each case has the usual surroundings, whatever the function changed in an earlier one.
    """
    if not Path(__file__).with_name("own").joinpath(f"{exercise}.py").is_file():
        return usual()(call)
    return usual()(either_way(import_module(f"labsupport.check.ask.own.{exercise}").ask))


@usual()
def answer_examiner(exercise: str, function: Callable, address: str) -> None:
    """Answer cases until the examiner sends the end; a case may be one of an earlier exercise."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        wire.send(connection, {"exercise": exercise})
        while (inputs := (request := wire.receive(connection))["inputs"]) is not None:
            name = request.get("exercise", exercise)
            asked = function if name == exercise else earlier(function, name)
            wire.send(connection, plain(ask_of(name)(asked, inputs)))


def earlier(function: Callable, name: str) -> Any:
    """The function of this name among the globals that a student's function sees; None without one."""
    return getattr(inspect.unwrap(function), "__globals__", {}).get(name)


@usual()
def answer_here(exercise: str, function: Callable, inputs: dict):
    """One answer in this process, reduced to plain data like a message."""
    return wire.unpack(wire.pack(plain(ask_of(exercise)(function, inputs))))
