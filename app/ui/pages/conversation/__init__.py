"""The page on which a conversation is read and written."""
