"""Environment variables of the C library's allocator, for processes that train; it reads them when it starts."""

MALLOC_ENVIRONMENT = {
    # By default glibc maps tensors above 32 MiB again in every step, and the kernel then faults in each of their pages:
    # two thirds of a step's time at a vocabulary of 13,000. Other C libraries ignore these variables.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    # Training runs in a thread, whose own arena would be limited to 64 MiB a piece.
    "MALLOC_ARENA_MAX": "1",
}
