"""The context window, visible: gauge, list, panel, note, offers."""
