"""The arithmetic of the measurements. Nothing here is timed."""
