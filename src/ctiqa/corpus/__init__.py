"""How labelled examples are made."""
