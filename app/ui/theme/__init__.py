"""Palette, spacing, type scale, icons. No colour or gap is written anywhere else."""
