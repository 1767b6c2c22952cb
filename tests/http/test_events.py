"""A page that listens to events."""

from __future__ import annotations

from poise.http.events import EventStream
from poise.http.message import Reply, Request
from tests.http.web import get, web


def test_events_arrive_one_by_one_until_the_page_leaves() -> None:
    streams: list[EventStream] = []
    closed: list[str] = []

    def answer(request: Request) -> Reply:
        streams.append(EventStream(on_close=lambda: closed.append("closed")))
        streams[-1].send("from", ident=request.fields.get("last-event-id"))
        return Reply(200, EventStream.FIELDS, streams[-1])

    with web(answer) as site:
        client = site.client()
        client.send(get("/events", "Last-Event-ID: 7\r\n"))
        client._until(lambda: b"\r\nid: 7\ndata: from\n\n\r\n" in client.data)
        assert b"\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n" in client.data
        streams[0].send("one\ntwo", name="add", retry=500)
        streams[0].comment()
        client._until(
            lambda: client.data.endswith(b"\nevent: add\nretry: 500\ndata: one\ndata: two\n\n: \n\n\r\n")
        )
        assert streams[0].endless
        client.close()
        site.gone()
        assert closed == ["closed"]
        streams[0].send("to nobody")
        streams[0].comment("to nobody")
