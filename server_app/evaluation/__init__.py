"""Central evaluation: clean, under attack, and when."""
