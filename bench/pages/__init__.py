"""Made pages with exact truth: every letter's character, box, line and word is known.

`maker.make` makes one page, `write.py` a folder of them, and `fates` says what a reading did to each letter.
"""
