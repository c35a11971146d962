"""What maps a slice to quality."""
