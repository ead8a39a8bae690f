"""The load plan: how one model is loaded."""
