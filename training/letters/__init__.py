"""Labelled handwriting to glyphs: the training sets, made letters, the split."""
