"""The few privileged verbs. Standard library and coloc's vocabulary only."""
