"""Transforms: what happens to columns between the source and the network, fitted on training rows alone."""

from nnkit.data.transforms.base import TRANSFORMS, Transform, TransformChoice

__all__ = ["TRANSFORMS", "Transform", "TransformChoice"]
