"""Pieces of the window that talk to services."""
