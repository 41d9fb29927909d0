"""The nodes of the graph, one in each file."""
