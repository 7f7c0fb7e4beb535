"""The parts of bench/scrape.py."""
