"""Recurrent layers and their models."""

LAYERS: list = []
MODELS: list = []
