"""The server's part in secure aggregation: four questions a round, and the mean of their answers."""
