"""The commands of ``python -m ban_ray.population``, one or two a file.

They are leaves like the `__main__` that gathers them: they may import any room, and nothing else imports them.
"""
