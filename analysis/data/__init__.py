"""The study's data: what a storage holds, as records, frames, chains and groups of chains."""
