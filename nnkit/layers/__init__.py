"""Layers, a file a family; each knows its options, shapes and weights, and nothing of its place in a network."""
