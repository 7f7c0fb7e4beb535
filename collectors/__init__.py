"""Measure: one subject per file. A collector never decides and never remembers behind its caller's back."""
