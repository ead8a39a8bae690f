"""The pieces of the Models page: searching, one model, what is on this computer, downloads."""
