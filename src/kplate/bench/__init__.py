"""How fast the networks are: times of every engine beside one another, on the machine at hand."""
