"""Labelled glyphs go in, a model file comes out; the only room that imports TensorFlow."""
