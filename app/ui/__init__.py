"""Pixels: Qt widgets, Qt models, theme, words on screen."""
