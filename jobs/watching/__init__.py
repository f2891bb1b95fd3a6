"""`lettermill watch`: a folder whose scans are read as they come."""
