"""The front door: scans on disk, what a job is, the queue, collecting, the report, the command line."""
