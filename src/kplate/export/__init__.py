"""PyTorch to run-time formats, each verified against its source. Needs the `export` extra."""
