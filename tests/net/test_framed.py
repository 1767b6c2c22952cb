"""Messages over real connections: nothing is lost, stuck together, early, late or out of its turn."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poise.errors import FrameError
from poise.limits import FrameLimits, StreamLimits
from poise.loop.reactor import Reactor
from poise.net.framed import FramedProtocol
from poise.net.stream import Stream
from poise.readiness.poller import available
from poise.wire.framing import FixedFramer, Framer, LengthFramer, LineFramer, NetstringFramer
from tests.support.loops import receive_all, turn_until

Pair = tuple[socket.socket, socket.socket]


def tcp_pair() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    return ours, theirs


class Talk(FramedProtocol):
    """Keeps what it is told; ``act`` may do something about a message."""

    def __init__(
        self, framer: Framer, act: Callable[[Talk, bytes], object] | None = None, share: int = 64
    ) -> None:
        super().__init__(framer, FrameLimits(messages_per_turn=share))
        self.act = act
        self.reads = 0
        self.messages: list[bytes] = []
        self.ends = 0
        self.told: list[FrameError] = []
        self.lost: list[Exception | None] = []
        self.pauses: list[str] = []

    def data_received(self, data: bytes) -> None:
        self.reads += 1
        super().data_received(data)

    def message_received(self, message: bytes) -> None:
        self.messages.append(message)
        if self.act is not None:
            self.act(self, message)

    def eof_received(self) -> bool | None:
        self.ends += 1
        return super().eof_received()

    def frame_error(self, error: FrameError) -> None:
        self.told.append(error)

    def pause_writing(self) -> None:
        self.pauses.append("pause")

    def resume_writing(self) -> None:
        self.pauses.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)


class Wire:
    def __init__(self, reactor: Reactor, pair: Callable[[], Pair]) -> None:
        self.reactor = reactor
        self.errors: list[Exception] = []
        reactor.on_error = self.errors.append
        self._pair = pair
        self._sockets: list[socket.socket] = []

    def join(self, talk: Talk, **limits: Any) -> socket.socket:
        """Give ``talk`` a stream; its far end."""
        ours, theirs = self._pair()
        self._sockets += (ours, theirs)
        for each in (ours, theirs):
            each.setblocking(False)
        Stream(self.reactor, ours, talk, ours.getpeername(), StreamLimits(**limits)).begin()
        return theirs

    def turn_until(self, condition: Callable[[], object]) -> None:
        turn_until(self.reactor, condition)

    def turn_until_heard(self, talk: Talk, count: int) -> None:
        turn_until(self.reactor, lambda: len(talk.messages) >= count)

    def close(self) -> None:
        for each in self._sockets:
            each.close()


@pytest.fixture(
    params=[(name, pair) for name in available() for pair in (tcp_pair, socket.socketpair)],
    ids=[f"{name}-{kind}" for name in available() for kind in ("tcp", "unix")],
)
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    name, pair = request.param
    with Reactor(name) as reactor:
        made = Wire(reactor, pair)
        yield made
        made.close()


FRAMERS = {
    "line": LineFramer,
    "length": LengthFramer,
    "netstring": NetstringFramer,
    "fixed": lambda: FixedFramer(10),
}


@pytest.mark.parametrize("make", FRAMERS.values(), ids=FRAMERS)
def test_a_hundred_small_writes_stick_together_and_come_apart_again(
    wire: Wire, make: Callable[[], Framer]
) -> None:
    """粘包: TCP keeps the bytes and forgets the writes."""
    talk = Talk(make())
    far = wire.join(talk)
    sent = [b"message %02d" % index for index in range(100)]
    for message in sent:
        far.send(talk.framer.frame(message))
    wire.turn_until_heard(talk, 100)
    assert talk.messages == sent
    assert talk.reads < 100


def test_one_message_in_many_reads_is_put_together(wire: Wire) -> None:
    talk = Talk(LengthFramer(maximum=1 << 20))
    far = wire.join(talk, read_size=7)
    far.send(talk.framer.frame(b"x" * 1000) + talk.framer.frame(b"") + talk.framer.frame(b"last"))
    wire.turn_until_heard(talk, 3)
    assert talk.messages == [b"x" * 1000, b"", b"last"]
    assert talk.reads >= 1000 / 7


def test_messages_go_both_ways(wire: Wire) -> None:
    talk = Talk(LineFramer(), lambda talk, message: talk.send(message.upper()))
    far = wire.join(talk)
    far.send(b"one\r\ntwo\n")
    answer = bytearray()
    wire.turn_until(lambda: receive_all(far, answer) or len(answer) >= 8)
    assert answer == b"ONE\nTWO\n"
    with pytest.raises(ValueError, match="LF"):
        talk.send(b"a\nb")
    far.shutdown(socket.SHUT_WR)
    wire.turn_until(lambda: talk.lost)
    assert talk.lost == [None]
    assert talk.told == []
    assert receive_all(far, answer)
    talk.send(b"dropped, as the stream does it")


# --- shares ------------------------------------------------------------------------------------------------


@pytest.mark.pitfall(23)
@pytest.mark.pitfall(24)
def test_each_turn_hands_over_its_share_and_nothing_stalls(wire: Wire) -> None:
    talk = Talk(LineFramer(), share=10)
    far = wire.join(talk)
    far.send(b"x\n" * 1234 + b"half")
    turns = []
    while len(talk.messages) < 1234:
        before = len(talk.messages)
        wire.reactor.turn(5)
        turns.append(len(talk.messages) - before)
    assert max(turns) == 10
    assert len(turns) <= 1234 / 10 + 3, "no turn goes by without a share, apart from the first hand-over"
    # Nothing further came from the network meanwhile; what comes now is read again.
    far.send(b" and half\n")
    wire.turn_until_heard(talk, 1235)
    assert talk.messages[-1] == b"half and half"


@pytest.mark.pitfall(23)
def test_a_turn_does_not_wait_while_messages_are_left(wire: Wire) -> None:
    talk = Talk(LineFramer(), share=1)
    far = wire.join(talk)
    waits: list[float | None] = []
    poll = wire.reactor.poller.poll

    def noting(timeout: float | None = None, maxevents: int = -1, /) -> list[tuple[int, int]]:
        waits.append(timeout)
        return poll(timeout, maxevents)

    wire.reactor.poller.poll = noting  # type: ignore[misc]
    far.send(b"1\n2\n3\n4\n")
    wire.turn_until_heard(talk, 4)
    first = waits.index(0.0)
    assert waits[first:] == [0.0] * (len(waits) - first)
    assert len(waits) - first >= 3


@pytest.mark.pitfall(24)
def test_others_are_served_between_the_shares(wire: Wire) -> None:
    order: list[str] = []
    flooder = Talk(LineFramer(), lambda _talk, _message: order.append("flood"), share=5)
    pinger = Talk(LineFramer(), lambda _talk, _message: order.append("ping"))
    flood, ping = wire.join(flooder), wire.join(pinger)
    flood.send(b"x\n" * 1000)
    wire.turn_until(lambda: order)
    ping.send(b"ping\n")
    before = len(order)
    wire.turn_until(lambda: "ping" in order)
    assert order.index("ping") - before <= 2 * 5
    wire.turn_until(lambda: len(flooder.messages) == 1000)


@pytest.mark.pitfall(23)
def test_what_is_kept_is_bounded_while_a_peer_floods(wire: Wire) -> None:
    talk = Talk(LineFramer(), share=2)
    far = wire.join(talk, read_size=500)
    far.send(b"x\n" * 5000)
    most = 0
    while len(talk.messages) < 5000:
        wire.reactor.turn(5)
        most = max(most, talk.framer.buffered)
    assert most <= 500


# --- pausing -----------------------------------------------------------------------------------------------


@pytest.mark.pitfall(23)
def test_pausing_inside_a_message_stops_those_behind_it_and_resuming_goes_on(wire: Wire) -> None:
    def pause(talk: Talk, message: bytes) -> None:
        if message in (b"2", b"3", b"5"):
            talk.pause_reading()

    talk = Talk(LineFramer(), pause)
    far = wire.join(talk)
    far.send(b"1\n2\n3\n4\n5\n")
    for seen in ([b"1", b"2"], [b"1", b"2", b"3"], [b"1", b"2", b"3", b"4", b"5"]):
        wire.turn_until_heard(talk, len(seen))
        assert talk.messages == seen
        far.send(b"later\n")
        for _ in range(3):
            wire.reactor.turn(0.01)
        assert talk.messages == seen, "paused means paused"
        assert not talk.stream.is_reading()
        talk.resume_reading()
        talk.resume_reading()
        assert talk.messages == seen, "never from inside the call"
    wire.turn_until_heard(talk, 8)
    assert talk.stream.is_reading()


@pytest.mark.pitfall(23)
def test_pausing_and_resuming_inside_one_message(wire: Wire) -> None:
    def blink(talk: Talk, _message: bytes) -> None:
        talk.pause_reading()
        talk.resume_reading()

    talk = Talk(LineFramer(), blink)
    far = wire.join(talk)
    far.send(b"x\n" * 20)
    wire.turn_until_heard(talk, 20)
    far.send(b"y\n")
    wire.turn_until_heard(talk, 21)


def test_pausing_while_a_share_is_waiting(wire: Wire) -> None:
    talk = Talk(LineFramer(), share=2)
    far = wire.join(talk)
    far.send(b"x\n" * 4)
    wire.reactor.turn(5)
    assert len(talk.messages) == 2
    talk.pause_reading()
    for _ in range(3):
        wire.reactor.turn(0.01)
    assert len(talk.messages) == 2
    talk.resume_reading()
    talk.pause_reading()
    talk.resume_reading()
    wire.turn_until_heard(talk, 4)
    far.send(b"x\n" * 4)
    wire.turn_until_heard(talk, 8)


def test_paused_before_anything_came(wire: Wire) -> None:
    class Late(Talk):
        def connection_made(self, stream: Stream) -> None:
            super().connection_made(stream)
            self.pause_reading()

    talk = Late(LineFramer())
    far = wire.join(talk)
    far.send(b"x\n")
    wire.reactor.turn(0.01)
    assert talk.messages == []
    talk.resume_reading()
    wire.turn_until(lambda: talk.messages)


def test_the_stream_resumed_behind_our_back_changes_neither_order_nor_share(wire: Wire) -> None:
    talk = Talk(LineFramer(), share=3)
    far = wire.join(talk, read_size=40)
    sent = [b"%d" % index for index in range(300)]
    far.send(b"".join(map(talk.framer.frame, sent)))
    far.close()
    while not talk.lost:
        before = len(talk.messages)
        talk.stream.resume_reading()
        wire.reactor.turn(5)
        assert talk.ends or len(talk.messages) - before <= 3
    assert talk.messages == sent


def test_the_end_is_the_end_even_if_the_stream_was_resumed_behind_our_back(wire: Wire) -> None:
    def pause(talk: Talk, message: bytes) -> None:
        if message == b"1":
            talk.pause_reading()

    talk = Talk(LineFramer(), pause, share=1)
    far = wire.join(talk)
    far.send(b"1\n2\n3\n")
    far.close()
    wire.turn_until(lambda: talk.messages)
    talk.stream.resume_reading()
    wire.turn_until(lambda: talk.lost)
    assert talk.messages == [b"1", b"2", b"3"]
    assert talk.lost == [None]


def test_backpressure_passes_through(wire: Wire) -> None:
    talk = Talk(LengthFramer(maximum=1 << 24))
    far = wire.join(talk, high_water=1000, low_water=100)
    talk.send(b"x" * 10_000_000)
    assert talk.pauses == ["pause"]
    got = bytearray()
    wire.turn_until(lambda: receive_all(far, got) or len(got) == 10_000_004)
    assert talk.pauses == ["pause", "resume"]


# --- faults and ends ---------------------------------------------------------------------------------------


@pytest.mark.pitfall(60)
def test_a_length_bomb_closes_the_connection_and_is_told(wire: Wire) -> None:
    talk = Talk(LengthFramer(), lambda talk, message: talk.send(message))
    far = wire.join(talk)
    far.send(talk.framer.frame(b"fine") + b"\x80\x00\x00\x00" + b"junk" * 100)
    answer = bytearray()
    wire.turn_until(lambda: receive_all(far, answer))  # a reset would raise, and could destroy the answer
    assert answer == b"\x00\x00\x00\x04fine"
    assert talk.messages == [b"fine"]
    far.close()
    wire.turn_until(lambda: talk.lost)
    assert [str(error) for error in talk.told] == [
        "a message of 2147483648 bytes is announced, at most 65536 are taken"
    ]
    assert talk.lost == talk.told
    assert wire.errors == []


@pytest.mark.pitfall(60)
def test_an_endless_line_gets_a_last_word(wire: Wire) -> None:
    class Polite(Talk):
        def frame_error(self, error: FrameError) -> None:
            super().frame_error(error)
            self.send(b"too long")

    talk = Polite(LineFramer(1000))
    far = wire.join(talk, read_size=100)
    far.send(b"x" * 2000)
    answer = bytearray()
    wire.turn_until(lambda: receive_all(far, answer))
    assert answer == b"too long\n"
    assert talk.reads == 11, "refused with the first byte too many"
    far.close()
    wire.turn_until(lambda: talk.lost)
    assert talk.lost == talk.told != []


def test_the_end_inside_a_message_is_told(wire: Wire) -> None:
    talk = Talk(LineFramer())
    far = wire.join(talk)
    far.send(b"whole\nhal")
    far.close()
    wire.turn_until(lambda: talk.lost)
    assert talk.messages == [b"whole"]
    assert talk.lost == talk.told
    assert "inside a message" in str(talk.lost[0])


def test_an_unterminated_last_line_by_choice(wire: Wire) -> None:
    talk = Talk(LineFramer(keep_last=True), lambda talk, message: talk.send(message))
    far = wire.join(talk)
    far.send(b"one\ntwo")
    far.shutdown(socket.SHUT_WR)
    answer = bytearray()
    wire.turn_until(lambda: receive_all(far, answer))
    assert answer == b"one\ntwo\n"
    wire.turn_until(lambda: talk.lost)
    assert talk.lost == [None]


def test_the_end_comes_after_all_messages_however_many(wire: Wire) -> None:
    talk = Talk(LineFramer(), share=3)
    far = wire.join(talk)
    far.send(b"x\n" * 100)
    far.close()
    wire.turn_until(lambda: talk.ends)
    assert len(talk.messages) == 100
    wire.turn_until(lambda: talk.lost)
    assert talk.lost == [None]


def test_half_open_after_the_end(wire: Wire) -> None:
    class Half(Talk):
        def eof_received(self) -> bool | None:
            super().eof_received()
            return True

    talk = Half(LineFramer())
    far = wire.join(talk)
    far.send(b"question\n")
    far.shutdown(socket.SHUT_WR)
    wire.turn_until(lambda: talk.ends)
    talk.send(b"answer")
    talk.stream.close()
    answer = bytearray()
    wire.turn_until(lambda: receive_all(far, answer))
    assert answer == b"answer\n"


@pytest.mark.parametrize("end", [Stream.close, Stream.abort])
def test_nothing_is_handed_over_once_the_stream_is_closing(wire: Wire, end: Callable[[Stream], None]) -> None:
    def obey(talk: Talk, message: bytes) -> None:
        if message == b"quit":
            end(talk.stream)

    talk = Talk(LineFramer(), obey)
    wire.join(talk).send(b"1\nquit\n3\n4\n")
    wire.turn_until(lambda: talk.lost)
    assert talk.messages == [b"1", b"quit"]
    assert talk.lost == [None]


def test_closing_while_a_share_is_waiting(wire: Wire) -> None:
    talk = Talk(LineFramer(), share=1)
    wire.join(talk).send(b"1\n2\n3\n")
    wire.turn_until(lambda: talk.messages)
    talk.stream.close()
    wire.turn_until(lambda: talk.lost)
    wire.reactor.turn(0)
    assert talk.messages == [b"1"]


@pytest.mark.parametrize("share", [1, 64], ids=["in a later share", "at once"])
def test_an_exception_in_a_message_is_ours_and_ends_the_connection(wire: Wire, share: int) -> None:
    def stumble(_talk: Talk, message: bytes) -> None:
        if message == b"2":
            raise ZeroDivisionError

    talk = Talk(LineFramer(), stumble, share)
    far = wire.join(talk)
    far.send(b"1\n2\n3\n")
    wire.turn_until(lambda: talk.lost)
    assert talk.messages == [b"1", b"2"]
    assert [type(error) for error in wire.errors] == [ZeroDivisionError]
    assert talk.lost == wire.errors
    assert talk.told == []


def test_an_exception_in_the_last_word_is_reported_and_the_cause_stays(wire: Wire) -> None:
    class Clumsy(Talk):
        def frame_error(self, error: FrameError) -> None:
            super().frame_error(error)
            raise ZeroDivisionError

    talk = Clumsy(NetstringFramer())
    wire.join(talk).send(b"x")
    wire.turn_until(lambda: talk.lost)
    assert [type(error) for error in wire.errors] == [ZeroDivisionError]
    assert talk.lost == talk.told != []


# --- another framer ----------------------------------------------------------------------------------------


@pytest.mark.pitfall(23)
def test_a_line_says_how_long_the_next_message_is(wire: Wire) -> None:
    def store(talk: Talk, message: bytes) -> None:
        if message.startswith(b"set "):
            talk.change_framer(FixedFramer(int(message[4:])))
        elif isinstance(talk.framer, FixedFramer):
            talk.change_framer(LineFramer())

    talk = Talk(LineFramer(), store)
    far = wire.join(talk)
    far.send(b"get a\nset 5\nab\ncdget b\nset 3\n")
    wire.turn_until_heard(talk, 5)
    far.send(b"\n\n\nget c\n")
    wire.turn_until_heard(talk, 7)
    assert talk.messages == [b"get a", b"set 5", b"ab\ncd", b"get b", b"set 3", b"\n\n\n", b"get c"]
    far.close()
    wire.turn_until(lambda: talk.lost)
    assert talk.lost == [None]


@pytest.mark.pitfall(23)
def test_another_framer_finds_a_message_in_what_had_come_before(wire: Wire) -> None:
    talk = Talk(LengthFramer(4))
    far = wire.join(talk)
    far.send(b"\x00\x00\xffhello\n")
    wire.turn_until(lambda: talk.reads)
    assert talk.messages == []
    talk.change_framer(LineFramer())
    assert talk.messages == []
    wire.turn_until(lambda: talk.messages)
    assert talk.messages == [b"\x00\x00\xffhello"]
