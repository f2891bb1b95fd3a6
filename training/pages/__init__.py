"""Made pages of forms, to train the region network on and to measure whole pages with."""
