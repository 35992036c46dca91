"""The ask of tokens_per_second, which is that of attention_macs: a config, and numbers after it."""

from labsupport.check.ask.own.attention_macs import ask

__all__ = ["ask"]
