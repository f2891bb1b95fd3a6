"""A page to letters: glyphs to scores, scores to a lattice, its best path to text."""
