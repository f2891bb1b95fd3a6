"""Fuzzers: mutated images, messages and folders, and pages under random faults."""
