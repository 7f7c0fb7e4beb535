"""Wire, schedule, decide: the command line, the daemon, the page, incidents and quotas."""
