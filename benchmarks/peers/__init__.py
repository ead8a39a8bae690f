"""What the application is measured against, each a process of its own that answers JSON lines."""
