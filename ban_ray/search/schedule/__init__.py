"""The order in which chains run and the decisions that end them."""
