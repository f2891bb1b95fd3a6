"""Reads a page: glyphs to scores, scores to a lattice, the best path to letters. Begin in `read_lines`."""
