"""The transcript: a conversation painted directly, laid out only near the view. It never talks to engine or store."""
