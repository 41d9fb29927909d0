"""Adapters that let other frameworks call the graph: agents, tools, evaluators, and reward functions."""
