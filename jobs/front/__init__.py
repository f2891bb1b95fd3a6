"""The front page: scans are uploaded or chosen, read, reviewed and downloaded; and its HTTP API."""
