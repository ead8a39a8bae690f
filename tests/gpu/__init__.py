"""On a real graphics card: `make test-gpu`, on a machine that has one, with a build for it."""
