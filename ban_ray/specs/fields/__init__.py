"""Fields of recipes and objectives by name, to set and to search: ``recipe.learning_rate``."""
