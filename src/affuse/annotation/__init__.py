"""Clips labelled by hand: a page on this machine that plays them and writes what is said."""
