"""What do these bytes mean? Protocols without I/O: bytes in, events out, and back."""
