"""The library: knows nothing of command lines, terminals or exit codes."""
