"""The commands of the training room, one file each."""
