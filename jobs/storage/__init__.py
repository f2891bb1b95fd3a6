"""Where scans and results are kept: disks and object stores behind one protocol, atomic writes and locks."""
