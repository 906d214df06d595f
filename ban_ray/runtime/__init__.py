"""The way from a Tune trial to published members."""
