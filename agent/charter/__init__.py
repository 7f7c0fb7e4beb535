"""How well the colocation keeps its charter: the facts, the checks, their words, and what apps used day by day."""
