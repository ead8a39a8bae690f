"""The whole application as people meet it: real processes, a real window on a screen of its own, real keys."""
