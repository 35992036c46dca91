"""What a function must not leave on a model: hooks, and another mode."""

from labsupport.check.ask.left_behind import LeftBehind
from labsupport.check.judge.kit.compare import Noted
from labsupport.check.judge.kit.exercise import Part


def part(answer: LeftBehind) -> Part:
    """The condition on both, for a model that was in evaluation mode."""

    def clean() -> None:
        unhooked(answer.hooks)
        as_found(answer.training)

    return Part("no hook is left on the model, and its mode is the one it was found in", clean)


def unhooked(hooks: int) -> None:
    """Raises Noted where hooks are left, or another's is gone (-1)."""
    if hooks < 0:
        raise Noted("but another's, there before, is gone; remove only your own")
    if hooks:
        raise Noted("one is still there" if hooks == 1 else f"{hooks} are still there")


def as_found(training: bool, before: bool = False) -> None:
    """Raises Noted where the function changed the mode."""
    if training != before:
        raise Noted(f"your function leaves it in {'training' if training else 'evaluation'} mode")
