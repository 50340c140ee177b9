"""Training loops, data and metrics. Needs the `train` extra."""
