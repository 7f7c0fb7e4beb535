"""The few privileged verbs. Standard library and coloc.verbs only."""
