"""One file per command of `coloc-agent`; each is imported only when it is called."""
