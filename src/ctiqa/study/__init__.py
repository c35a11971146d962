"""What the evidence is."""
