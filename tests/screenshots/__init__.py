"""Pictures of every page and state, drawn by the real window."""
