"""A run's tuned model as a folder of its own: the model's file and its card."""
