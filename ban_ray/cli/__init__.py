"""The shared parts of all commands: exit codes, parameter types, console output."""
