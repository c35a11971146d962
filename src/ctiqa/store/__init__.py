"""Results over time, each exactly once."""
