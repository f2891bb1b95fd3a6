"""Segments page images into candidate letters: pure functions on arrays, with OpenCV and NumPy alone."""
