"""Every text is there in both languages, and the Chinese one speaks as the notes do."""

from __future__ import annotations

import pytest

from poise.lab.describe import describe
from poise.lab.experiments import EXPERIMENTS
from poise.lab.models import MODELS
from poise.lab.rows import ROWS
from poise.lab.text import Text, same
from tests.lab.languages import faults, texts

TERMS = ("就绪", "多路复用", "粘包", "阻塞", "缓冲区", "关注", "提交", "内核", "超时", "广播", "位运算")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_speaks_both_languages(name: str) -> None:
    described = describe(EXPERIMENTS[name])
    assert faults(described) == []
    for field in ("title", "question", "runs", "watch", "mistake", "takeaway"):
        assert described[field]["en"], field


def test_the_rest_does_too() -> None:
    assert faults([row.text._asdict() for row in ROWS.values()]) == []
    assert faults([model.title._asdict() for model in MODELS.values()]) == []


def test_the_terms_of_the_notes_are_used() -> None:
    said = "".join(text["zh"] for each in EXPERIMENTS.values() for _path, text in texts(describe(each)))
    assert [term for term in TERMS if term not in said] == []


def test_a_server_has_one_name_except_where_the_notes_are_quoted() -> None:
    said = [text["zh"] for each in EXPERIMENTS.values() for _path, text in texts(describe(each))]
    assert [text for text in said if "服务端" in text] == [EXPERIMENTS["hold"].takeaway.zh]
    assert any("服务器" in text for text in said)


def test_a_fault_would_be_found() -> None:
    assert faults({"a": {"en": "something", "zh": ""}}) != []
    assert faults({"a": {"en": "something", "zh": "something else"}}) != []
    assert faults({"a": {"en": "就绪", "zh": "就绪"}}) != []
    assert faults({"a": {"en": "ready, set", "zh": "就绪,走"}}) != []
    assert faults({"a": {"en": "epoll", "zh": "epoll"}}) == []


def test_a_text() -> None:
    text = Text("{n} ready", "{n} 个就绪")
    assert text.said("en", n=3) == "3 ready"
    assert text.said("zh", n=3) == "3 个就绪"
    assert text.filled(n=1) == Text("1 ready", "1 个就绪")
    assert same("epoll").said("zh") == "epoll"
    with pytest.raises(KeyError):
        text.said("fr")
