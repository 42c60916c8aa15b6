"""The truth: one SQLite file, written in transactions, read by everybody else."""
