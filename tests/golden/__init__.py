"""Recorded values that may not change unnoticed: hashes, JSON, files on disk, and words.

`recorded/` holds the values and `population/` a storage that an older version has written. Everything goes through
commands and files, but for `internals.py`. To record again on purpose:

    python -m tests.golden.record words
    python -m tests.golden.record hashes plans searches sampled tables population

Words may change whenever that is wanted. A change of the others breaks what users have stored or what reads our JSON,
so it needs a reason in the commit; `population` is replaced only where an older storage may become unreadable.
"""
