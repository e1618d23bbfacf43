"""The pickles in which the field shares its features, read without running them."""
