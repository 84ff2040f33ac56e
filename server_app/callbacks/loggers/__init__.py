"""Experiment loggers: a run's numbers in TensorBoard, Weights & Biases, MLflow and Trackio."""
