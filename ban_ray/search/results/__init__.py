"""Progress and results of a search in the terminal."""
