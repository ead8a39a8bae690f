"""The context window, visible: the gauge by the composer, and the side panel's tab of what the model sees."""
