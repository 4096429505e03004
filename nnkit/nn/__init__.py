"""Torch modules with plain arguments; their parameters have the names and the layout of Keras' weights."""
