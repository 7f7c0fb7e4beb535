"""Planned work: declared ahead, told once, quiet while it lasts, and what is still broken said at its end."""
