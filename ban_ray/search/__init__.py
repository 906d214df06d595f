"""The search command: from a space and choices to trained chains and a table of gains."""
