"""The same slice, worse in another way."""
