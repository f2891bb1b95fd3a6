"""Makes lines of writing for the line network, and prepares real fields for it."""
