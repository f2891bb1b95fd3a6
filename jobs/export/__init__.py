"""A job's readings in formats that other programs read: one small writer each, over the same PageReading.

A writer takes a scan's readings at a time, so memory depends on the largest scan and not on the job. What it
writes appears whole or not at all.
"""
