"""The networks of the papers, one family a file; `names` parses their names without torch."""
