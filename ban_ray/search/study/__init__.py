"""The Optuna study of a search: the configuration source, targets, records."""
