"""The options of a search, checked against its space."""
