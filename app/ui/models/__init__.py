"""Qt item models, fed only by changes."""
