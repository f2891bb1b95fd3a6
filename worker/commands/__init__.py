"""The commands of the worker room: one file per command."""
