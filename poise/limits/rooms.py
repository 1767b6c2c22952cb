"""The limits of each room: one record for one room."""

from __future__ import annotations

from poise.limits.limit import KIB, MIB, Checked, limit


class LoopLimits(Checked):
    """The reactor: what one turn may do."""

    events: int = limit(
        512, "events", "the most readiness events handled in one turn, so that timers are looked at often"
    )
    timers: int = limit(
        1024, "timers", "the most due timers run in one turn, so that a storm of timers cannot starve I/O"
    )
    cancelled: int = limit(
        100,
        "entries",
        "cancelled timers kept at most while they are also more than half of all; then swept out",
    )
    durations: int = limit(
        16, "queues", "different timeouts with a queue of their own; further ones share a heap", low=0
    )
    longest_wait: float = limit(
        3600.0, "seconds", "the kernel is never asked to wait longer: very long waits overflow its argument"
    )
    threads: int = limit(
        16, "threads", "for offloaded calls, started when needed; host names are looked up there too"
    )
    processes: int = limit(4, "processes", "for offloaded calls that compute, started when needed")
    waiting: int = limit(
        1024,
        "calls",
        "that wait for a thread, or for a process; one more is refused, so that a slow disk fills no memory",
        low=0,
    )
    switch: float = limit(
        0.0005,
        "seconds",
        "a thread that computes keeps the interpreter while the loop waits for it, which may be after each system call; "
        "set by `poise serve` alone, for it counts for the whole process (Python's own is 0.005)",
        low=0.000_01,
    )


class ListenLimits(Checked):
    """The listener: who gets in, and how fast."""

    backlog: int = limit(
        1024,
        "connections",
        "how many connections the kernel queues before they are accepted",
        option="backlog",
        high=65_535,
    )
    accepts: int = limit(
        64, "connections", "accepted at most in one event, so that a storm of newcomers cannot hold the loop"
    )
    defer: float = limit(
        0.0,
        "seconds",
        "how long the kernel may keep a TCP connection that has said nothing yet, before it is accepted; 0 for not at all (Linux)",
        option="defer-accept",
        low=0,
        high=3600,
    )
    connections: int = limit(
        10_000,
        "connections",
        "open at once; further ones wait in the kernel's queue until one closes",
        option="max-connections",
    )
    per_client: int = limit(
        1_000,
        "connections",
        "open at once from one client (an IPv4 address, an IPv6 /64), so that it cannot take every place; 0 for no limit",
        option="max-connections-per-client",
        low=0,
    )
    ahead: int = limit(
        4, "connections", "that one worker may have more than another before it leaves newcomers to that one"
    )
    aside: float = limit(
        0.001, "seconds", "for which it leaves them; then it takes so many itself, if nobody has", low=0.001
    )
    first_delay: float = limit(
        0.01, "seconds", "the first pause in accepting when the system is out of descriptors", low=0.001
    )
    longest_delay: float = limit(
        1.0, "seconds", "the pause doubles up to this while the system stays out of descriptors", low=0.001
    )


class ConnectLimits(Checked):
    """Connecting: how long to wait for whom."""

    timeout: float = limit(
        30.0,
        "seconds",
        "for a connection, from the name to the last handshake, unless the caller says otherwise",
        low=0.001,
    )
    stagger: float = limit(
        0.25, "seconds", "an address that is silent for so long gets a rival (RFC 8305, 5)", low=0.01
    )
    unix_retry: float = limit(
        0.01,
        "seconds",
        "between attempts while a unix listener's queue is full: no readiness tells of it",
        low=0.001,
    )


class TLSLimits(Checked):
    """TLS."""

    handshake_time: float = limit(
        20.0,
        "seconds",
        "from a connection's start to the end of its TLS handshake",
        option="tls-handshake-timeout",
        low=0.01,
    )


class StreamLimits(Checked):
    """A stream: how much moves at a time and how long a stalled peer is waited for."""

    read_size: int = limit(
        256 * KIB, "bytes", "read at most in one event, so that a flooding client cannot hold the loop"
    )
    read_first: int = limit(
        64 * KIB,
        "bytes",
        "asked of a read while less than that comes; who fills it is read in larger pieces, to keep the window open",
    )
    write_size: int = limit(
        256 * KIB, "bytes", "handed to the kernel at most in one event, for the same reason"
    )
    read_ahead: int = limit(
        MIB,
        "bytes",
        "of a file being sent that are looked for in memory at once; what is not there is fetched beside the loop",
        low=4 * KIB,
        high=64 * MIB,
    )
    high_water: int = limit(
        64 * KIB, "bytes", "queued output at which the protocol is asked to pause writing"
    )
    low_water: int = limit(16 * KIB, "bytes", "queued output at which the protocol may go on writing", low=0)
    send_stall: float = limit(
        60.0,
        "seconds",
        "a client that takes no byte of its reply for so long is given up; any progress starts it anew",
        option="send-timeout",
        low=0.01,
    )
    linger_time: float = limit(
        2.0,
        "seconds",
        "after the last reply, how long late input is read away while the client takes nothing more of its answer",
        low=0.01,
    )
    linger_bytes: int = limit(
        64 * MIB, "bytes", "how much late input is read away before the connection is cut", low=0
    )
    descriptors: int = limit(
        253,
        "descriptors",
        "passed at once over a unix socket, either way; the kernel passes no more (SCM_MAX_FD)",
        high=253,
    )

    @property
    def portion(self) -> int:
        """Bytes that one read asks for while nothing says that more is worth it, and of what is handed on at once."""
        return min(self.read_first, self.read_size)


class FrameLimits(Checked):
    """Messages in a stream: how long one may be, and how many at a time."""

    message: int = limit(
        64 * KIB,
        "bytes",
        "the longest message unless a framer is made with another maximum; a peer can make us keep that much",
    )
    messages_per_turn: int = limit(
        64,
        "messages",
        "handed to one protocol at most in one turn: a single read can hold tens of thousands of them",
    )


class DatagramLimits(Checked):
    """Datagrams: how large, how many at a time, and how many wait."""

    size: int = limit(
        64 * KIB,
        "bytes",
        "the largest datagram received whole, more than UDP can carry; a longer one is reported as truncated",
    )
    received: int = limit(
        32, "datagrams", "handed over at most in one event, so that a flood cannot hold the loop"
    )
    received_bytes: int = limit(
        256 * KIB, "bytes", "after so many received in one event the others get their turn"
    )
    sent: int = limit(64, "datagrams", "of the queue handed to the kernel at most in one event")
    sent_bytes: int = limit(
        256 * KIB, "bytes", "after so many sent from the queue in one event the others get their turn"
    )
    high_water: int = limit(
        64 * KIB, "bytes", "waiting to be sent, at which the protocol is asked to pause writing"
    )
    low_water: int = limit(
        16 * KIB, "bytes", "waiting to be sent, at which the protocol may go on writing", low=0
    )
    queue: int = limit(
        1_024, "datagrams", "wait at most, empty ones included; further ones are refused", high=65_536
    )
    queue_bytes: int = limit(
        1 * MIB, "bytes", "wait at most; further datagrams are refused, so ignored backpressure stays bounded"
    )
    send_wait: float = limit(
        5.0,
        "seconds",
        "a datagram that the kernel has not taken for so long is dropped and reported: late news is no news",
        low=0.01,
    )
    first_delay: float = limit(
        0.001, "seconds", "the first pause when the kernel refuses although the socket is writable", low=0.001
    )
    longest_delay: float = limit(
        0.1, "seconds", "the pause doubles up to this while the kernel goes on refusing", low=0.001
    )


class DiscoveryLimits(Checked):
    """Finding servers in the local network: how often is asked, and how often answered."""

    timeout: float = limit(
        1.0,
        "seconds",
        "answers are waited for: a wireless station that sleeps hears a broadcast within 0.3 or so",
        low=0.01,
    )
    rounds: int = limit(
        3, "questions", "asked in the first half of that time, because any datagram may be lost", high=16
    )
    found: int = limit(
        1024, "answers", "kept from one search at most; whoever floods us with names fills no memory"
    )
    answers_per_source: int = limit(
        16, "answers/second", "for one host: two searches at once ask it no more often over one address"
    )
    answers: int = limit(
        256, "answers/second", "for everybody together, so that forged senders make no flood of it"
    )
    look: float = limit(
        5.0, "seconds", "between looks at the list of network interfaces, for one that came later", low=0.01
    )


class ProcessLimits(Checked):
    """Child processes: how soon the end of one is noticed on a system without pidfd."""

    first_look: float = limit(
        0.001, "seconds", "the first pause between looks whether the child has ended", low=0.0001
    )
    longest_look: float = limit(
        0.05, "seconds", "the pause doubles up to this, so that a long-lived child costs little", low=0.0001
    )


class HttpLimits(Checked):
    """HTTP: how large a request may be and how long each phase of it may take."""

    request_line: int = limit(
        8 * KIB,
        "bytes",
        "the longest request line; a longer one is answered 414",
        option="max-request-line",
        low=64,
    )
    head: int = limit(
        32 * KIB,
        "bytes",
        "the longest request head; a longer one is answered 431",
        option="max-head",
        low=128,
    )
    fields: int = limit(
        100, "fields", "the most header fields in a request; more are answered 431", option="max-fields"
    )
    body: int = limit(
        1 * MIB, "bytes", "the longest request body; a longer one is answered 413", option="max-body", low=0
    )
    chunk_line: int = limit(1 * KIB, "bytes", "the longest chunk-size line, extensions included", low=32)
    trailers: int = limit(8 * KIB, "bytes", "the longest trailer section of a chunked body", low=64)
    extensions: int = limit(
        8 * KIB, "bytes", "of chunk extensions in one body; nobody uses them and they carry no content", low=0
    )
    chunks: int = limit(
        64, "chunks", "undone at most at once, so that a body of one-byte chunks cannot hold the loop"
    )
    head_time: float = limit(
        20.0,
        "seconds",
        "from a connection's start, or a request's first byte, to the end of its head; then 408",
        option="head-timeout",
        low=0.01,
    )
    body_stall: float = limit(
        30.0,
        "seconds",
        "the longest time without any byte of a request body; then 408",
        option="body-timeout",
        low=0.01,
    )
    body_rate: int = limit(
        64,
        "bytes/second",
        "the slowest average at which a request body may arrive after the first body-timeout; then 408",
        low=0,
    )
    idle_time: float = limit(
        75.0,
        "seconds",
        "how long a kept-alive connection may wait for its next request; then it is closed",
        option="keep-alive-timeout",
        low=0.01,
    )
    reply_time: float = limit(
        120.0, "seconds", "how long a handler that answers later may take; then 503", low=0.01
    )
    retry_after: int = limit(
        1, "seconds", "when a client that was told 503 may come again; what was short is mostly back by then"
    )
    turn_time: float = limit(
        0.005,
        "seconds",
        "after so long a connection's further requests and pieces wait for the next turn",
        low=0,
    )
    requests_per_turn: int = limit(
        32, "requests", "answered at most for one connection in one turn when a client sends many at once"
    )
    pieces: int = limit(
        64,
        "pieces",
        "taken from a produced body at most in one turn: each is a system call, and empty ones cost time too",
    )
    feed: int = limit(
        64 * KIB, "bytes", "wait in a Feed at most while its client does not take them; then it is full"
    )
    probe: int = limit(
        60,
        "seconds",
        "of silence, then the kernel asks whether the client of an endless reply is still there",
        high=32_767,
    )
    drain_time: float = limit(
        10.0,
        "seconds",
        "how long replies in flight may take to finish once the server was told to stop",
        option="drain-timeout",
        low=0,
    )
    first_words_time: float = limit(
        0.1, "seconds", "in which a client that has just come is still heard when the server stops", low=0
    )
