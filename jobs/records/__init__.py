"""Values that jobs write down about pages: the manifest, and the reading of each page."""
