"""The same slice at another dose."""
