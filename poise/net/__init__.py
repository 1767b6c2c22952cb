"""How do bytes move? Addresses, listeners and streams over the reactor."""
