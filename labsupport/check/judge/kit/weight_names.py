"""The weights of an answer's model by name, compared with those that it came with."""

from collections.abc import Collection

from labsupport.check.judge.kit.compare import Wrong


def all_there(found: Collection[str], wanted: Collection[str]) -> None:
    """Raise Wrong unless both have the same names; the reason says what became of a layer's weight."""
    if missing := sorted(set(wanted) - set(found)):
        raise Wrong(lost(missing[0], found))
    if new := sorted(set(found) - set(wanted)):
        raise Wrong(f"{new[0][:120]} is new")


def lost(name: str, found: Collection[str], what: str = "dense tensor") -> str:
    """Why a model has no weight of this name: what torch's own tools and wrappers leave in its place."""
    layer = name.removesuffix(".weight")
    own = sorted((key for key in found if key.startswith(f"{layer}.")), key=lambda key: "weight" not in key)
    if f"{layer}.weight_orig" in own:
        return f"{layer} keeps weight_orig beside its mask: torch's prune.remove makes the mask permanent"
    if own:
        there = f"{layer} has no weight of its own any more, there is {own[0][:120]}"
        return f"{there}: zeros and updates belong into the weight of the Linear itself"
    return f"{name} is no {what} of the model any more: the weight of a layer is changed in place"
