"""The Celery worker: its tasks, the pages of a message, health and metrics."""
