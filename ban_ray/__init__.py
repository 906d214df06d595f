"""Search over Born Again Network (BAN) chains with Ray Tune, Ray Train and Optuna."""

__version__ = "0.1.0"
