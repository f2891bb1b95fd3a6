"""Files to pixels: scans found, opened and decoded; documents in a child process."""
