"""A page image goes in, candidate letters come out: pure functions on arrays, OpenCV and NumPy only."""
