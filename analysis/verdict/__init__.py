"""One verdict on a search with controls: what to train, what self-distillation adds to that, and what is open.

Choices are made on held-out data alone, claims on test data alone.
"""
