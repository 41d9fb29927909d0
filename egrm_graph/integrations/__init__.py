"""The graph inside other people's frameworks, one a file. Nothing here is loaded before it is imported by its name."""
