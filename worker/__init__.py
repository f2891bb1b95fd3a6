"""The worker room: reading pages, the Celery service around it, and its commands."""
