"""What agents read and write, as pure functions: turns, instructions, documents, names."""
