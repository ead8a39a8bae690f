"""Tests of the engine process: its parts in this process, and the whole as a real one."""
