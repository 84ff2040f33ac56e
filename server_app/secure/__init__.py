"""The server's part in secure aggregation: four questions a round, and a mean of the answers."""
