"""A service of its own: hears from the kernel which processes ended and what they used, and tells the daemon."""
