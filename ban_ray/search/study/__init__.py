"""The Optuna study of a search: proposed configurations, targets, the best, and records."""
