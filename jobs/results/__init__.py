"""Readings to results: CSV files, the report, the comparison with the truth."""
