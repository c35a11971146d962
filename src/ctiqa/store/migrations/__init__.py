"""The steps from each form of a store to the next; none is ever changed once it is released."""
