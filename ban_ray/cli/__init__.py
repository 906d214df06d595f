"""What all commands share: exit codes, parameter types, console output."""
