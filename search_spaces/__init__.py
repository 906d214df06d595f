"""Search spaces, one file each: runnable lab notes with the papers' figures as data."""
