"""The commands of the front door, one file each, and the options that they share."""
