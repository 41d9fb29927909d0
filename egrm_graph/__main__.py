"""`python -m egrm_graph`: the command line."""

from egrm_graph.cli import main

main()
