"""The states of each page: how a window is brought into them."""
