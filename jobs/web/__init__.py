"""Review in the browser: people look at doubtful letters and say what they are."""
