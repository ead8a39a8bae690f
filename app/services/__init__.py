"""The verbs of the application. Qt-free."""
