"""One request, one reply."""
