"""The weights of an answer's model by name, compared with those that it came with.

Digests are those of ask.pruned.
"""

from collections.abc import Collection, Mapping

from labsupport.check.judge.kit.compare import Wrong


def all_there(found: Collection[str], wanted: Collection[str]) -> None:
    """Raise Wrong unless both have the same names; the reason says what became of a layer's weight."""
    if missing := sorted(set(wanted) - set(found)):
        raise Wrong(lost(missing[0], found))
    if new := sorted(set(found) - set(wanted)):
        raise Wrong(f"{new[0][:120]} is new")


def replaced(name: str, digests: Mapping[str, str], wanted: str) -> str:
    """Why a weight with another digest is no weight of this model at all; "" if shape or numbers differ.

    It is gone, stored in another layout, or of another type.
    """
    found = digests.get(name)
    if found is None:
        return lost(name, digests, "parameter")
    if found.startswith("torch."):
        return f"{name} is stored as {found[:80]}: the model's own dense weight is changed in place"
    if (now := found.split(" ")[1:2]) and now != wanted.split(" ")[1:2]:
        return f"{name} is now {found.partition(' ')[2][:80]}: the type of the numbers stays"
    return ""


def lost(name: str, found: Collection[str], what: str = "dense tensor") -> str:
    """Why a model has no weight of this name: what torch's own tools and wrappers leave in its place."""
    layer = name.removesuffix(".weight")
    own = sorted((key for key in found if key.startswith(f"{layer}.")), key=lambda key: "weight" not in key)
    if f"{layer}.weight_orig" in own:
        return f"{layer} keeps weight_orig beside its mask: torch's prune.remove makes the mask permanent"
    if own:
        there = f"{layer} has no weight of its own any more, there is {own[0][:120]}"
        return f"changes belong into the weight of the Linear itself: {there}"
    return f"{name} is no {what} of the model any more: the weight of a layer is changed in place"
