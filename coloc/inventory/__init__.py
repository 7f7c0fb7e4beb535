"""What lives on a server: apps read from YunoHost's files, apps declared in coloc.yml, and whose project they are."""
