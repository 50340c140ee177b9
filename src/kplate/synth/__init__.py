"""Draws plates, permits and whole scenes for training, testing and demonstration."""
