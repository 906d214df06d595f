"""A teacher's outputs by view, computed once and looked up afterwards."""
