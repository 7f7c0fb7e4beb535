"""coloc.yml: its keys as types, and how it is read and its mistakes are told."""
