"""Poise (就绪, "ready"): a network toolkit, HTTP server and laboratory over one readiness loop."""
from __future__ import annotations

__version__ = "0.1.0"
