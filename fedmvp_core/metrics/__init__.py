"""Measures of predictions, in float64. They compare; they never choose on what they compare."""
