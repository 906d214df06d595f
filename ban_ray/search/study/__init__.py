"""The Optuna study of a search: samplers, targets, records."""
