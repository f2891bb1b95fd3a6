"""Checks of a deployment that need an engine, a network or a browser of their own."""
