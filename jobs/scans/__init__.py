"""Files to pixels: find scans, open them, decode images, and decode PDFs in a child process."""
