"""Declared options, the settings file, upgrades."""
