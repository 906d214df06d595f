"""The training of a Tune trial's chain by a worker group, up to its published members."""
