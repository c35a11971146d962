"""What a CT slice is, and where it comes from."""
