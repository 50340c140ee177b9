"""What a Korean number plate is: symbols, kinds, grammar, layouts and glyphs. Pure Python, no images."""
