"""The demo colocation: a YunoHost-shaped tree with real files, databases and processes to look at."""
