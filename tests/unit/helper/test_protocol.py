"""Whatever is said on the helper's socket, nothing but a verb of the list happens, and a refusal is one sentence."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloc.agreed import NAME, Agreed, AgreedLimit, AgreedProject, to_text
from coloc.verbs import (
    MAX_REQUEST,
    PROTOCOL,
    RESOURCES,
    STEPS,
    VERBS,
    Answer,
    Ask,
    Held,
    Refused,
    answer_line,
    parse_answer,
    parse_request,
    request_line,
)
from helper.keeper import Means
from helper.means import means_of
from helper.service import admit, serve
from tests.fakes.slices import FakeSystemd

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HERE = os.geteuid()
GOOD: dict[str, Any] = {"project": "velo", "app": "", "resource": "cpu", "step": "throttle", "used": 1.5}


class House:
    """A helper behind a socket, with what was agreed in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "helper"
        self.folder.mkdir(mode=0o700)
        agreed = Agreed(projects={"velo": AgreedProject(limits={"cpu": AgreedLimit(0.5, 1, "throttle")})})
        (self.folder / NAME).write_text(to_text(agreed))
        (self.folder / NAME).chmod(0o600)
        self.systemd = FakeSystemd(folder / "cgroup")
        self.systemd.begin("coloc-velo.slice")
        self.log: list[str] = []
        means = means_of(
            self.log.append, run=self.systemd.run, cgroups=self.systemd.cgroups, lock=folder / "no", proc=folder
        )
        self.means: Means = means

    def say(self, data: bytes, *, known: set[int] | None = None) -> bytes:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            arguments = (theirs, known or {HERE}, self.folder, lambda agreed: self.means, self.log.append)
            answering = threading.Thread(target=serve, args=arguments, kwargs={"writer": HERE})
            answering.start()
            try:
                ours.sendall(data)
                ours.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has heard enough
            answering.join(20)
            theirs.close()
            found = b""
            while piece := ours.recv(65536):
                found += piece
        return found


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def request(**changes: Any) -> bytes:
    return json.dumps({"protocol": PROTOCOL, "verb": "hold", "arguments": GOOD} | changes).encode() + b"\n"


def test_a_request_is_obeyed_and_answered(house: House) -> None:
    answer = parse_answer(house.say(request()))
    assert (answer.why, [each.key for each in answer.held]) == ("", [("velo", "", "cpu")])
    assert house.systemd.shown("coloc-velo.slice", "cpu.max") == "100000 100000"
    assert [line.split(":")[0] for line in house.log] == ["asked", "done"]


@pytest.mark.parametrize("protocol", [0, 2, "1", None, True, 10**400, [1]])
def test_another_version_is_refused_with_one_sentence_of_what_to_do(house: House, protocol: object) -> None:
    answer = parse_answer(house.say(request(protocol=protocol)))
    assert "speaks version" in answer.why
    assert answer.why.endswith("run deploy/install.sh again, then systemctl restart coloc-agent")
    assert house.systemd.calls == []


def test_an_answer_of_another_version_is_refused_too() -> None:
    with pytest.raises(Refused, match="the helper speaks version 2"):
        parse_answer(answer_line(Answer()).replace(b'"protocol": 1', b'"protocol": 2'))


def test_a_stranger_is_not_listened_to(house: House) -> None:
    answer = parse_answer(house.say(request(), known={HERE + 1}))
    assert answer.why == f"the helper does not listen to the user with number {HERE}"
    assert house.systemd.calls == []
    admit(7, {0, 7})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"verb": "run"}, "that is not a verb of the helper"),
        ({"verb": ["hold"]}, "that is not a verb of the helper"),
        ({"more": 1}, "that is not a verb of the helper"),
        ({"arguments": {}}, "hold takes project, app, resource, step, used, and nothing else"),
        ({"arguments": GOOD | {"more": 1}}, "hold takes project, app, resource, step, used, and nothing else"),
        ({"arguments": []}, "hold takes project, app, resource, step, used, and nothing else"),
        ({"verb": "read"}, "read takes nothing, and nothing else"),
        ({"arguments": GOOD | {"project": "../x"}}, "project cannot be that"),
        ({"arguments": GOOD | {"project": "-x"}}, "project cannot be that"),
        ({"arguments": GOOD | {"project": "velo\n"}}, "project cannot be that"),
        ({"arguments": GOOD | {"app": ".."}}, "app cannot be that"),
        ({"arguments": GOOD | {"app": "a b"}}, "app cannot be that"),
        ({"arguments": GOOD | {"app": None}}, "app cannot be that"),
        ({"arguments": GOOD | {"resource": "network"}}, "resource cannot be that"),
        ({"arguments": GOOD | {"step": "warn"}}, "step cannot be that"),
        ({"arguments": GOOD | {"used": "9"}}, "used cannot be that"),
        ({"arguments": GOOD | {"used": True}}, "used cannot be that"),
        ({"arguments": GOOD | {"used": 10**400}}, "used cannot be that"),
    ],
)
def test_arguments_are_typed_and_all_of_them_are_needed(house: House, change: dict[str, Any], why: str) -> None:
    assert parse_answer(house.say(request(**change))).why == why
    assert house.systemd.calls == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}",
        b"[]\n",
        b"null\n",
        b"\xff\n",
        b'{"protocol": NaN}\n',
        b"[" * 3000 + b"\n",
        b"x" * (MAX_REQUEST + 9),
    ],
)
def test_what_is_no_request_is_refused(house: House, data: bytes) -> None:
    assert parse_answer(house.say(data)).why
    assert house.systemd.calls == []


def test_what_others_could_have_written_is_not_believed(house: House) -> None:
    (house.folder / NAME).chmod(0o666)
    assert "is not a file that only root writes" in parse_answer(house.say(request())).why
    (house.folder / NAME).unlink()
    (house.folder / NAME).symlink_to("/etc/passwd")
    assert "cannot be read" in parse_answer(house.say(request())).why
    assert house.systemd.calls == []


def test_where_nothing_was_agreed_on_nothing_is_done(house: House) -> None:
    (house.folder / NAME).unlink()
    assert "velo is not among what was agreed on" in parse_answer(house.say(request())).why


# What a daemon that was taken over might say: the right shape with anything in it, and anything at all.
words = st.text(max_size=20) | st.sampled_from(["velo", "", "cpu", "throttle", "hard", "-x", "../../etc", "velo.slice"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
shaped = st.fixed_dictionaries(
    {
        "protocol": st.just(PROTOCOL) | anything,
        "verb": st.sampled_from([*VERBS, "run", "undo"]) | anything,
        "arguments": st.fixed_dictionaries(dict.fromkeys(GOOD, words | anything)) | anything,
    }
)
ALLOWED = {"CPUQuota=100%", "CPUQuota="}


@settings(max_examples=150, deadline=None)
@given(st.lists(shaped.map(lambda data: json.dumps(data).encode()) | st.binary(max_size=200), min_size=1, max_size=4))
def test_nothing_but_the_listed_verbs_ever_happens(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        house = House(Path(name))
        before = sorted(Path(name).rglob("*"))
        for line in lines:
            answer = parse_answer(house.say(line.replace(b"\n", b" ") + b"\n"))
            assert "\n" not in answer.why
        for call in house.systemd.calls:
            assert call[:5] == ("systemctl", "set-property", "--runtime", "--", "coloc-velo.slice")
            assert set(call[5:]) <= ALLOWED
        made = {path.name for path in Path(name).rglob("*")} - {path.name for path in before}
        assert made <= {"lock", "held.json"}


@given(st.binary(max_size=300) | shaped.map(lambda data: json.dumps(data).encode()))
def test_what_is_parsed_can_be_written_again(line: bytes) -> None:
    try:
        ask = parse_request(line)
    except Refused as error:
        assert "\n" not in str(error)
        return
    assert parse_request(request_line(ask)) == ask


helds = st.builds(
    Held,
    st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True),
    st.from_regex(r"[a-z0-9_]{0,9}", fullmatch=True),
    st.sampled_from(RESOURCES),
    st.sampled_from(STEPS),
    st.just(NOW),
    st.none() | st.floats(0, 1e15),
    st.floats(0, 1e15),
    *[st.text("abc é\n", max_size=9)] * 4,
    st.booleans(),
)


@given(st.lists(helds, max_size=3), st.dictionaries(st.sampled_from(RESOURCES), st.text(max_size=9)))
def test_an_answer_is_read_as_it_was_meant(held: list[Held], cannot: dict[str, str]) -> None:
    answer = Answer("", tuple(held), cannot, {"a.service": "pending restart"}, (("a", "b", "c", "d"),), "busy")
    assert parse_answer(answer_line(answer)) == answer


@given(st.binary(max_size=300) | anything.map(lambda data: json.dumps(data).encode()))
def test_an_answer_of_anybody_else_is_refused_and_nothing_worse(line: bytes) -> None:
    with pytest.raises(Refused):
        parse_answer(line)


def test_every_verb_has_its_words() -> None:
    for verb, names in VERBS.items():
        ask = replace(Ask(verb), **{name: GOOD[name] for name in names})
        assert parse_request(request_line(ask)) == ask


def test_the_program_answers_on_its_standard_input() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b'{"protocol": 7}\n')
        ours.shutdown(socket.SHUT_WR)
        argv = [
            sys.executable,
            "-I",
            "-c",
            "import sys; sys.path.insert(0, sys.argv[1])\nimport helper.service as s\ns.main()",
        ]
        root = Path(__file__).parents[3]
        done = subprocess.run(
            [*argv, str(root)], stdin=theirs.fileno(), stderr=subprocess.PIPE, text=True, timeout=60, check=True
        )
        theirs.close()
        answer = parse_answer(ours.recv(65536))
    expected = "speaks version 7" if HERE == 0 else "does not listen"
    assert expected in answer.why
    assert done.stderr == f"refused: {answer.why}\n"


def test_the_helper_loads_the_standard_library_and_our_vocabulary_alone() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import helper.service; print(*sys.modules)"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(root)], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    ours = {
        name for name in done.stdout.split() if name.startswith(("coloc", "helper", "agent", "backup", "collectors"))
    }
    assert {name.split(".")[0] for name in ours} == {"coloc", "helper"}
    assert loaded - set(sys.stdlib_module_names) - {"coloc", "helper", "__main__"} <= {
        "_distutils_hack",
        "sitecustomize",
    }
