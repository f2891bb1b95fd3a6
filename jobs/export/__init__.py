"""Write the readings of a job in formats that other programs read: one small writer per format.

A writer takes the readings of one scan at a time, so memory depends on the largest scan, not on the job.
Files appear whole or not at all.
"""
