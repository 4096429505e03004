"""Procedures: how a model is trained, each as phases of the one trainer."""
