"""Pieces of the window that know nothing of this application."""
