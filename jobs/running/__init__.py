"""Running a job: the engine of this machine, progress, signals, the command at the end."""
