"""Measurements and what they need: benchmarks, made pages, fuzzers. Nothing here is installed."""
