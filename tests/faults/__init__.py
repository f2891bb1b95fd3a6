"""Faults made for real: kills, restarts, full disks, poisoned pages."""
