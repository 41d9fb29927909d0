"""Steps of reasoning paths."""
