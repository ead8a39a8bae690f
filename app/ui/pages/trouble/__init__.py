"""The page that stands in for everything when the conversations cannot be opened."""
