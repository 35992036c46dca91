"""The ask of prune_magnitude, shared by all functions that prune a whole model."""

from labsupport.check.ask.pruned import ask

__all__ = ["ask"]
