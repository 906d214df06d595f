"""The schedule of a search: which chain runs next, and which chains end early."""
