"""The parts of bench/backup.py."""
