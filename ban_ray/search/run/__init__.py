"""The execution of a search on Ray Tune."""
