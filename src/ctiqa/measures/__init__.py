"""What can be measured on a slice, with and without a reference, and between two score columns."""
