"""What a job is given beside scans: the model, a word list, a template of a form."""
