"""What to do with scores and measurements."""
