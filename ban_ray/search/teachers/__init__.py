"""Teachers from the population: chosen once before a search, or for each configuration when it begins."""
