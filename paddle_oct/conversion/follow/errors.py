"""The error for a forward that cannot be recorded."""

from __future__ import annotations


class CannotFollow(ValueError):
    """A forward does something that cannot be recorded."""


def layer_in_words(name: str) -> str:
    """Return how a message calls the layer of this name; "" is the network itself."""
    return f"layer {name!r}" if name else "the network"
