"""Rules about conversations, without any I/O."""
