"""The job folder: made, opened, corrected, deleted."""
