"""A client's part in secure aggregation: what it answers, and what it keeps between the answers."""
