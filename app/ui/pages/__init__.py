"""Screens: composition only."""
