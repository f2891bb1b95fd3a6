"""Where scans and results are kept: disks and object stores behind one protocol, and files written whole."""
