"""Review in the browser: people check doubtful letters and correct them."""
