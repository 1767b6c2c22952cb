"""The certificates of the tests that speak TLS."""

from __future__ import annotations

from tests.support.certificates import authority

__all__ = ["authority"]
