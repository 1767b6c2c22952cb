"""HTTP/1.1 messages (RFC 9110, RFC 9112): one noun of the protocol per file, no I/O."""
