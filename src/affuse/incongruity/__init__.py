"""What the modalities of a sample say against each other, and what fusion makes of it."""
