"""Reference-free image quality for CT."""
