"""A supervised child process that runs llama.cpp. Knows nothing of conversations."""
