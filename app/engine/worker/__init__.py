"""Runs in the child process: the background llama.cpp thread and what it needs."""
