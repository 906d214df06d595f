"""The search command: trains the chains of a search space, and prints and reports their gains."""
