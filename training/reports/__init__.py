"""Figures and pages about a training or a measurement."""
