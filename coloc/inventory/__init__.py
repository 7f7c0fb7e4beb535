"""Which apps live here: read from YunoHost's own files and from coloc.yml, and given to their projects."""
