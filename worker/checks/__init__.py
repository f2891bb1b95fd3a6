"""The checks of `lettermill doctor`, one module for each thing that a worker needs."""
