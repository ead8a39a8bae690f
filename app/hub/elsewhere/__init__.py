"""Models that other programs keep on this computer: found where they lie, read, never changed and never copied."""
