"""What a job is given beside its scans: the model, a word list, and the template of a form."""
