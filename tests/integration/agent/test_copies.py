"""A copy of the server posts nothing of the original's, until root adopts it; what waited then is never sent twice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from agent.backup_store import FactReader
from agent.copies import speaking
from coloc.config.reading import parse_config
from coloc.facts import Spool
from coloc.machine import as_text, identity
from coloc.state import open_state

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_YML = """\
coloc: {{name: ruche}}
root: {root}
stage: alert
channels:
  matrix: {{homeserver: "https://matrix.example.org", room: "!abc:example.org"}}
  forum: {{url: "https://forum.example.org", user: ruche, topic: 7}}
"""


def test_a_copy_speaks_to_its_console_alone_until_it_is_adopted(tmp_path: Path) -> None:
    machine = tmp_path / "etc/machine-id"
    machine.parent.mkdir()
    machine.write_text("1" * 32 + "\n")
    config = parse_config(_YML.format(root=tmp_path).encode(), "coloc.yml")
    state = open_state(tmp_path / "state.db")
    assert speaking(config, state) == config
    assert speaking(config, state) == config
    machine.write_text("2" * 32 + "\n")
    copy = speaking(config, state).channels
    assert (copy.matrix, copy.forum, copy.console is not None) == (None, None, True)

    with state.transaction() as connection:
        connection.execute(
            "INSERT INTO outbox (channel, target, kind, key, about, payload, txn_id, created_at, next_try_at)"
            " VALUES ('matrix', '', 'new', 'k', '', '{}', 't', '', '')"
        )
    spool = Spool(tmp_path / "facts")
    spool.write("adopted", NOW, machine=as_text(identity(tmp_path)))
    FactReader(state, spool).take(NOW)
    assert speaking(config, state) == config
    assert [row[0] for row in state.connection.execute("SELECT state FROM outbox")] == ["dropped"]
    state.close()


def test_a_machine_that_cannot_be_read_is_no_copy(tmp_path: Path) -> None:
    config = parse_config(_YML.format(root=tmp_path).encode(), "coloc.yml")
    state = open_state(tmp_path / "state.db")
    assert speaking(config, state) == config
    state.close()
