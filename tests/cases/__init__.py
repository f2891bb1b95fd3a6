"""Files as the world has them, each with what is right: see README.md here."""
