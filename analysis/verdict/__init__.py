"""What to train, what self-distillation adds to that, and what is open: one verdict on a search with controls.

Choices are made on held-out data alone, claims on test data alone.
"""
