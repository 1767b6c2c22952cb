"""The limits of a site and of its log, as :mod:`poise.limits.rooms` has those of the rooms below."""

from __future__ import annotations

from poise.limits.limit import KIB, MIB, Checked, limit


class FileLimits(Checked):
    """A folder as a web site: what is remembered, for how long, and how much is shown."""

    freshness: float = limit(
        0.5,
        "seconds",
        "how long a remembered reply is sent before its files are looked at again; 0 looks every time",
        option="freshness",
        low=0,
    )
    told_files: int = limit(
        16_384,
        "files",
        "that the kernel tells of when they change, so that they need not be looked at (inotify); 0 looks always",
        option="told-files",
        low=0,
    )
    told_from: int = limit(
        1000,
        "looks",
        "a second from which on the kernel is asked to tell: for fewer it is not worth it",
        option="told-from",
        low=0,
    )
    told_for: float = limit(
        20.0,
        "seconds",
        "after which such a file is looked at all the same: of a write through mapped memory, for one, nobody tells",
        option="told-for",
        low=0,
    )
    memo_bytes: int = limit(
        256 * MIB, "bytes", "memory for remembered replies; 0 remembers none", option="memo-size", low=0
    )
    memo_entry: int = limit(
        128 * KIB, "bytes", "the largest file whose reply is remembered; larger ones go by sendfile"
    )
    head_memo_bytes: int = limit(
        4 * MIB, "bytes", "memory for remembered header fields; 0 remembers none", low=0
    )
    names: int = limit(
        1024,
        "names",
        "of the folder at the top that are kept, to refuse made-up addresses without a look; of a longer one, none",
    )
    entries: int = limit(
        200_000,
        "entries",
        "of one folder looked at at most for a listing; what is left out is said",
        option="max-entries",
    )
    readme: int = limit(
        64 * KIB,
        "bytes",
        "of a README shown at most below a listing; 0 shows none",
        option="max-readme",
        low=0,
    )
    page: int = limit(1000, "entries", "shown on one page of a listing", option="page-size")
    looks: int = limit(
        128,
        "entries",
        "of a folder looked at in one step; a longer one is listed piece by piece, not to hold the loop",
    )
    rows: int = limit(128, "rows", "of a long listing made in one step, for the same reason")
    listings: int = limit(
        8,
        "folders",
        "that are long read at once for a listing: each takes some memory and its share of every turn; one more is told 503",
        option="max-listings",
    )
    watches: int = limit(
        8192, "folders", "watched for changes by inotify; of a larger tree, all are looked at now and again"
    )
    look: float = limit(1.0, "seconds", "between two looks at a tree whose changes no kernel tells", low=0.05)
    settle: float = limit(
        0.05,
        "seconds",
        "how long changes are collected before they are told as one: saving a file makes several",
        low=0,
    )
    listeners: int = limit(256, "pages", "told at once when a file changes (--live)")
    live_page: int = limit(
        4 * MIB, "bytes", "of the longest page that gets the script of --live; it is read whole"
    )
    compress_from: int = limit(
        1 * KIB,
        "bytes",
        "the smallest file compressed while serving: a smaller one fits into one packet anyhow",
    )
    compress_to: int = limit(
        8 * MIB,
        "bytes",
        "the largest file compressed while serving; larger ones are sent as they are",
        option="compress-max",
    )
    compressions: int = limit(8, "files", "compressed at once; whoever comes then gets the file as it is")
    compressed: int = limit(
        32 * MIB, "bytes", "of compressed files kept; a file that has changed is compressed anew", low=0
    )
    compressed_entries: int = limit(4096, "files", "kept compressed, those that came out no smaller included")
    links: int = limit(
        40, "links", "symbolic links followed at most on the way to one file, as the kernel does"
    )
    components: int = limit(
        256, "components", "the deepest path; each level is one descriptor while it is walked"
    )
    walk_entries: int = limit(
        1_000_000,
        "entries",
        "looked at below one folder for an archive, hidden ones included; it says what it leaves out",
        option="max-walk-entries",
    )
    walk_depth: int = limit(
        64, "folders", "below one another at most; each is two descriptors while it is walked", high=256
    )
    walk_names: int = limit(
        131_072,
        "names",
        "kept at once to bring folders into order; a longer folder comes in pieces, each in order",
    )
    archives: int = limit(
        8,
        "archives",
        "sent at once; each keeps folders open and may keep a processor busy, so one more is told 503",
        option="max-archives",
    )
    left_out: int = limit(
        100, "names", "of what an archive leaves out, named in it; of further ones only the number", low=0
    )
    slice_bytes: int = limit(
        256 * KIB, "bytes", "of an archive made in one go; the next when the client has taken those"
    )
    slice_time: float = limit(
        0.05,
        "seconds",
        "that a thread spends on an archive or a search before others who wait for one have their turn",
        low=0,
    )
    searches: int = limit(4, "searches", "made at once; one more is told 503", option="max-searches")
    search_time: float = limit(
        5.0,
        "seconds",
        "for one search; what was found until then is shown, and that there may be more",
        option="search-time",
        low=0.01,
    )
    search_entries: int = limit(
        500_000, "entries", "looked at in one search, hidden ones included; that it was cut is said"
    )
    search_results: int = limit(
        500, "results", "of one search, the best ones; that there are more is said", option="max-results"
    )
    search_text: int = limit(256, "characters", "to search for; those beyond it do not count")
    ranges: int = limit(
        64,
        "ranges",
        "in one request at most; with more of them the whole file is sent, as RFC 9110, 14.2 allows",
    )
    part: int = limit(
        64 * KIB,
        "bytes",
        "read at most at a time of a file of which several parts are sent, not to hold the loop",
    )
    choices: int = limit(
        64, "choices", "read of what a client says it accepts; those after them are not looked at"
    )
    globs: int = limit(
        8 * KIB,
        "characters",
        "of all patterns of one kind together, choices written out: a path is held against all of them at once",
    )
    settings: int = limit(256 * KIB, "bytes", "the longest poise.toml: it may be a stranger's")

    def fresh_until(self, now: float) -> float:
        """How long what is looked at at ``now`` need not be looked at again; both are monotonic seconds.

        Time is cut into periods of ``freshness``, and everything stays as it was seen to the end of the present one. So what was
        looked at for one reply counts for another, and no look is older than ``freshness`` when it is gone by.
        """
        return (now // self.freshness + 1.0) * self.freshness if self.freshness else now


class WorkerLimits(Checked):
    """Worker processes: how often one is tried, and how long it is waited for."""

    workers: int = limit(256, "workers", "at most; more than there are processors seldom help")
    start_time: float = limit(
        30.0,
        "seconds",
        "a worker may take until it serves; then it is killed, for something holds it",
        low=0.01,
    )
    soon: float = limit(
        0.5,
        "seconds",
        "a worker that has served no longer than this has failed, whatever has ended it",
        low=0,
    )
    failures: int = limit(
        6, "failures", "of workers in one place, one after the other, until the server says so and ends"
    )
    first_delay: float = limit(
        0.1, "seconds", "the first pause before a worker that has failed is followed by another", low=0.001
    )
    longest_delay: float = limit(2.0, "seconds", "the pause doubles up to this", low=0.001)
    grace: float = limit(
        5.0, "seconds", "beyond the drain time, until a worker that was told to end is killed", low=0.01
    )
    leaving: int = limit(
        256,
        "workers",
        "that have been replaced by a reload and finish their last replies; with more of them the oldest end at once",
        low=0,
    )


class LogLimits(Checked):
    """The access log."""

    buffer: int = limit(64 * KIB, "bytes", "of log lines collected before they are written at once")
    delay: float = limit(
        0.1,
        "seconds",
        "the longest time that a log line waits in the buffer; who watches sees it at once",
        low=0.001,
    )
    waiting: int = limit(
        1 * MIB,
        "bytes",
        "of log kept for a reader that has stopped; what comes after it is dropped and counted",
    )
    retry: float = limit(
        1.0, "seconds", "until a log file that took nothing, on a full disk, is tried again", low=0.001
    )
    finish: float = limit(
        1.0, "seconds", "how long the log's last lines may take when the server has stopped", low=0
    )
