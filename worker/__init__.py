"""Reading: glyphs to scores, scores to letters, and the Celery tasks around it."""
