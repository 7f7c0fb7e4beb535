"""Keep and bring back: Borg, dumps, the nightly run, retention, restore. It records facts and tells nobody."""
