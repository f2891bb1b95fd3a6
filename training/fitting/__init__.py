"""Glyphs to weights: the network, its batches, the training loop, the export."""
