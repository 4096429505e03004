"""Augmentations: what happens at random to the pictures of training batches."""

from nnkit.data.augmentations.base import AUGMENTATIONS, Augmentation, AugmentationChoice, augmenter, pictures, unfit

__all__ = ["AUGMENTATIONS", "Augmentation", "AugmentationChoice", "augmenter", "pictures", "unfit"]
