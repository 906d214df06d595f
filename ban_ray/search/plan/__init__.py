"""The plan of a search: chains, missing generations and their cost."""
