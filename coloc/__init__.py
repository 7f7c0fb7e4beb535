"""The colocation itself: its words, its configuration, its memory. It measures, saves and says nothing."""
