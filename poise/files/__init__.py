"""A folder as a web site."""
