"""kplate reads Korean number plates."""
