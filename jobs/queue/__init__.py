"""The queue in Redis: Celery, messages, which pages wait, which workers live."""
