"""Then do it, and when? The loop, and the small rooms it stands on."""
