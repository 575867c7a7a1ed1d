"""Attention and its models."""

LAYERS: list = []
MODELS: list = []
