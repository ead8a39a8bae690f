"""Measurements of what Inglenook adds to llama.cpp, Qt and SQLite. Run by `make bench`; never part of the tests."""
