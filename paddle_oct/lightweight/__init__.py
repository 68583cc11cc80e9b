"""Lightweight convolutions that are not about octaves: DSCConv, HetConv, DualConv."""

from .layers import DSCConv, DualConv, HetConv

__all__ = ["DSCConv", "DualConv", "HetConv"]
