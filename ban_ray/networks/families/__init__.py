"""Families of networks, one file each; a file here registers its family with `architecture.register`."""
