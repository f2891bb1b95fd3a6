"""What is written down about pages: the manifest, and the reading of each page."""
