"""What opens the backups is in other hands, proven by itself, changed when somebody leaves; real age, borg, sshd."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backup import escrow
from backup.borg_errors import WrongPassphrase
from backup.journal import open_journal
from coloc.secrets import Secret
from coloc.times import now_utc
from tests.fakes.backup_world import World
from tests.fakes.sshd import Sshd

Friend = Callable[..., Sshd]
Coloc = Callable[..., tuple[int, str, str]]


def adminsys(world: World, name: str) -> Path:
    """A person with an ssh key, whose public half is in coloc.yml."""
    key = world.folder / f"key-of-{name}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    world.adminsys[name] = {"age": [key.with_suffix(".pub").read_text().strip()]}
    return key


def last_escrow(world: World) -> tuple[object, str]:
    values = world.facts("escrow")[-1].values
    return values["ok"], str(values["why"])


def test_the_sheet_opens_everything_for_each_adminsys_and_nothing_for_others(
    world: World, friend: Friend, coloc: Coloc
) -> None:
    friend("alouette")
    world.local_host("merle")
    world.app("blog", rows=2)
    assert world.run().ok
    assert last_escrow(world) == (
        False,
        "what opens the backups was never given to anybody: coloc-agent key export",
    )
    code, _, err = coloc("key", "export")
    assert (code, "no adminsys has a public key" in err) == (1, True)
    lea, stranger = adminsys(world, "lea"), world.folder / "stranger"
    sheet = world.folder / "usb" / "sheet.age"
    code, out, err = coloc("key", "export", "--output", str(sheet))
    assert (code, "opens alouette, merle; encrypted to lea" in out) == (0, True), err
    assert last_escrow(world) == (True, "")
    assert b"a good long passphrase" not in sheet.read_bytes()
    assert sheet.stat().st_mode & 0o777 == 0o600

    opened = subprocess.run(["age", "-d", "-i", lea, sheet], capture_output=True, text=True, check=True).stdout
    assert "a good long passphrase" in opened and "OPENSSH PRIVATE KEY" in opened and "BORG_KEY" in opened
    hosts = escrow.read_sheet(Secret(opened))
    empty = world.folder / "empty"
    empty.mkdir()
    names = {each.name for each in escrow.from_sheet("alouette", hosts["alouette"], empty).archives()}
    assert names == {each.name for each in world.repository("alouette").archives()}

    code, out, err = coloc("key", "prove", "--file", str(sheet), "--identity", str(lea))
    assert (code, out.count("opens with the sheet alone")) == (0, 2), err
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    code, _, err = coloc("key", "prove", "--file", str(sheet), "--identity", str(stranger))
    assert (code, "does not open with" in err) == (1, True)

    adminsys(world, "max")
    assert world.run().ok
    assert "has changed since: coloc-agent key export" in last_escrow(world)[1]


def test_a_night_proves_the_sheet_each_month_and_fails_when_it_opens_nothing(world: World, coloc: Coloc) -> None:
    world.local_host("merle")
    world.app("blog")
    adminsys(world, "lea")
    assert world.run().ok
    assert coloc("key", "export")[0] == 0
    journal = open_journal(world.config.paths.journal)
    mark = escrow.fingerprint(world.config, journal)
    long_ago = now_utc() - timedelta(days=31)
    escrow.remember(journal, "escrow-proven", mark, long_ago)
    assert world.run().ok
    assert not escrow.standing(mark, escrow.remembered(journal), now_utc()).is_proof_due
    escrow.remember(journal, "escrow-proven", mark, long_ago)
    journal.close()
    (world.config.paths.journal / "escrow" / "ruche.age").write_text("cut")
    night = world.run()
    assert (night.ok, "recovery sheet:" in night.problems[0]) == (False, True)
    assert last_escrow(world)[0] is False
    assert len(world.facts("escrow")) == 4, "one word a night: two of the same moment would have no order"


def test_a_passphrase_changes_at_all_hosts_or_at_none_and_a_cut_is_gone_on_with(world: World, coloc: Coloc) -> None:
    world.local_host("merle")
    away = world.local_host("pie")
    world.app("blog")
    adminsys(world, "lea")
    assert world.run().ok
    file = world.folder / "passphrase"
    old = file.read_text()
    away.rename(world.folder / "unplugged")
    code, _, err = coloc("key", "rotate", "--yes")
    assert (code, "no passphrase" in err or "there is no repository" in err) == (1, True), err
    assert file.read_text() == old
    assert len(world.repository("merle").archives()) == 1
    (world.folder / "unplugged").rename(away)

    new = world.folder / "passphrase.new"  # cut after the first of two hosts
    new.write_text("of a cut rotation, long enough\n")
    new.chmod(0o600)
    world.repository("merle").change_passphrase(Secret("of a cut rotation, long enough"))
    with pytest.raises(WrongPassphrase):
        world.repository("merle").listing()
    code, out, err = coloc("key", "rotate", "--yes")
    assert (code, "[x] new passphrase: merle, pie" in out) == (0, True), err
    assert file.read_text() == "of a cut rotation, long enough\n"
    assert not new.exists()
    assert file.stat().st_mode & 0o777 == 0o600
    assert world.run().ok
    with pytest.raises(WrongPassphrase):
        replace(world.repository("pie"), passphrase=Secret(old.strip())).listing()
    assert last_escrow(world) == (True, "")


def test_an_ssh_key_is_replaced_once_the_owner_lets_the_new_one_in(world: World, friend: Friend, coloc: Coloc) -> None:
    server = friend("alouette")
    world.app("blog")
    adminsys(world, "lea")
    assert world.run().ok
    before = server.key.read_text()
    code, out, err = coloc("key", "rotate", "--yes")
    assert (code, "its owner adds this key" in out) == (1, True), err
    assert server.key.read_text() == before
    code, out, _ = coloc("key", "rotate", "--yes")
    assert (code, server.key.read_text() == before) == (1, True), "not let in yet"
    public = server.key.with_name(f"{server.key.name}.new.pub").read_text()
    server.let_in_none()
    server.let_in(public)
    code, out, err = coloc("key", "rotate", "--yes")
    assert "[x] alouette: the new ssh key is used" in out, err
    assert server.key.read_text() != before
    assert server.key.stat().st_mode & 0o777 == 0o600
    assert world.run().ok
