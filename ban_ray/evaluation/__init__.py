"""Scoring of stored predictions: metrics, ensembles and Pareto fronts, with NumPy alone."""
