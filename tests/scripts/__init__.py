"""The scripts of `packaging/` that decide something, without building anything."""
