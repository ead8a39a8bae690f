"""Hugging Face: browse, choose, download, resume, verify; and where models lie on this computer."""
