"""Where others call the graph: agents, tools, evaluators, reward functions."""
