"""The commands of ``python -m ban_ray.population``, which may import any room and are imported by no other."""
