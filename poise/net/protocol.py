"""What a stream tells its user, in asyncio.Protocol's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poise.net.stream import Stream


class Protocol:
    """Subclass it and override what is needed; every method may be left as it is."""

    __slots__ = ()

    def connection_made(self, stream: Stream) -> None:
        """The stream is open; called once, first."""

    def data_received(self, data: bytes) -> None:
        """Bytes arrived, never empty."""

    def eof_received(self) -> bool | None:
        """The peer will send no more. True keeps our side open for writing; otherwise it is closed."""

    def connection_lost(self, error: Exception | None) -> None:
        """The stream is closed; called once, last, with the first cause or None for an orderly end."""

    def pause_writing(self) -> None:
        """More is queued than ``limits.high_water``."""

    def resume_writing(self) -> None:
        """No more than ``limits.low_water`` is queued."""
