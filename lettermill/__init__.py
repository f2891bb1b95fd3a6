"""Batch OCR for hand-printed letters; the four rooms of the repository are its sub-packages."""
