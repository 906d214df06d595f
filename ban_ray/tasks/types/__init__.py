"""Tasks, one module each or one for a few that share their files; `ban_ray.tasks.catalog` finds them."""
