"""How datagrams leave: at once when the kernel takes them, from the queue when it does, or by a timer.

* **Writable is not always true.** Out of buffers (ENOBUFS), or the queue of an unconnected unix receiver full:
  the socket says writable and the kernel refuses. Whoever asks again at once spins; a timer tries again, with a delay
  that doubles while nothing is taken (pitfalls 45, 46). The same when a kernel says writable and takes nothing.
* **An error belongs to one datagram**, and the next one is sent (pitfall 43).
* **A connected UDP socket hears from the network** (ICMP): the kernel keeps that error and gives it to whichever call
  comes next. When that is a send, it has *not* looked at the new datagram, which is tried once more (pitfall 44).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

from poise.errors import DeadlineExceeded
from poise.limits import DatagramLimits
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle
from poise.net import address as addresses
from poise.net.kernel import UNIX
from poise.net.sendqueue import Answer, SendQueue

NO_BUFFERS = frozenset({errno.ENOBUFS, errno.ENOMEM})


class Sender:
    """The sending half of a datagram socket.

    ``report(error)`` is called for a datagram that was not sent, ``changed()`` after something left the queue on the
    loop's initiative, ``fail(error)`` by the reactor when one of them raised. ``wants_room`` says whether the socket is
    to be watched for WRITE.
    """

    __slots__ = (
        "_changed",
        "_delay",
        "_heeds_notices",
        "_late",
        "_limits",
        "_reactor",
        "_report",
        "_retry",
        "_silent",
        "_socket",
        "fail",
        "queue",
        "refused",
        "wants_room",
    )

    def __init__(
        self,
        reactor: Reactor,
        opened: socket.socket,
        limits: DatagramLimits,
        *,
        connected: bool,
        report: Callable[[OSError], object],
        changed: Callable[[], object],
        fail: Callable[[Exception], object],
    ) -> None:
        self._reactor = reactor
        self._socket = opened
        self._limits = limits
        self._report = report
        self._changed = changed
        self.fail = fail
        self._silent = opened.family == UNIX and not connected  # writable, whatever the receivers' queues are
        self._heeds_notices = connected and opened.family != UNIX
        self.queue = SendQueue(limits, apart=self._silent)
        self.refused = 0
        self.wants_room = False
        self._delay = limits.first_delay
        self._retry: TimerHandle | None = None
        self._late: TimerHandle | None = None  # drops what has waited too long

    def send(self, data: bytes, to: Any) -> bool:
        """Give ``data`` to the kernel or let it wait; False when it is refused or an error. ``to`` None: the peer."""
        answer = None if self.queue.waits_for(to) else self._hand_over(data, to)
        if answer is Answer.TAKEN:
            return True
        if answer is Answer.DROPPED:
            return False
        if not self.queue.append(data, to, self._reactor.clock.monotonic()):
            self.refused += 1
            return False
        if answer is not None and self._retry is None and not self.wants_room:
            self._wait(answer)
        return True

    def flush(self, *, was_writable: bool = True) -> None:
        """Hand over what the budget of one event allows."""
        took, answer = self.queue.flush(self._hand_over)
        if took:
            self._delay = self._limits.first_delay
        self._wait(answer, in_vain=was_writable and not took)
        self._changed()

    def close(self) -> None:
        """Drop what waits."""
        self.queue.clear()
        self._wait(Answer.TAKEN)

    # -- one datagram ----------------------------------------------------------------------------

    def _hand_over(self, data: bytes, to: Any) -> Answer:
        outcome = self._try(data, to)
        if isinstance(outcome, OSError) and self._heeds_notices:
            notice = outcome  # perhaps: about an earlier datagram
            outcome = self._try(data, to)
            if isinstance(outcome, Answer) or outcome.errno != notice.errno:
                self._report(notice)
        if isinstance(outcome, Answer):
            return outcome
        self._report(outcome)
        return Answer.DROPPED

    def _try(self, data: bytes, to: Any) -> Answer | OSError:
        try:
            if to is None:
                self._socket.send(data)
            else:
                self._socket.sendto(data, to)
        except (BlockingIOError, InterruptedError):
            return Answer.FULL
        except OSError as error:
            return Answer.SHORT if error.errno in NO_BUFFERS else error
        return Answer.TAKEN

    # -- waiting ---------------------------------------------------------------------------------

    def _wait(self, answer: Answer, *, in_vain: bool = False) -> None:
        """Wait for room, or for time when nobody will announce room; in any case not for ever."""
        for timer in (self._retry, self._late):
            if timer is not None:
                timer.cancel()
        self._retry = self._late = None
        self.wants_room = False
        if not self.queue.count:
            return
        self._late = self._reactor.call_at(self.queue.next_late, self._too_late)
        if answer is Answer.TAKEN or (answer is Answer.FULL and not self._silent and not in_vain):
            self.wants_room = True
            return
        self._retry = self._reactor.call_later(self._delay, self._try_again)
        self._delay = min(self._delay * 2, self._limits.longest_delay)

    def _try_again(self) -> None:
        self.flush(was_writable=True)

    def _too_late(self) -> None:
        for entry in self.queue.drop_late(self._reactor.clock.monotonic()):
            to = f" for {addresses.show(entry.to)}" if entry.to is not None else ""
            waited = f"a datagram{to} was not taken for {self._limits.send_wait:g} s and is dropped"
            self._report(DeadlineExceeded(errno.ETIMEDOUT, waited))
        self._wait(Answer.FULL)
        self._changed()
