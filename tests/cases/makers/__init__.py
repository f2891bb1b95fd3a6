"""Make the files of the cases, a module for each kind of trouble."""
