"""The Models page: finding models, those on this computer, and downloads."""
