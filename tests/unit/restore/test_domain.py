"""An app on another domain: the settings move and are rewritten, whole words only, nothing through links."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup.manifest import Manifest
from backup.restore_domain import domain_of, moved, require_domain, rewrite
from coloc.errors import ColocError

MANIFEST = Manifest(
    "rosa", "blog", "20261123T023000Z-abcdef", datetime(2026, 11, 23, tzinfo=UTC), "1", None, "Blog", "blog",
    (), ("etc/yunohost/apps/blog", "etc/nginx/conf.d/old.test.d/blog.conf"), (), (),
)  # fmt: skip


def test_the_domain_is_read_from_where_the_web_server_had_it() -> None:
    assert domain_of(MANIFEST) == require_domain(MANIFEST, "new.test") == "old.test"
    for domain in ("../../etc", "New.test", "a b.test", "-x.test", "x", "new.test\n", "--option"):
        with pytest.raises(ColocError, match="is no domain"):
            require_domain(MANIFEST, domain)
    with pytest.raises(ColocError, match="without a domain"):
        require_domain(replace(MANIFEST, extra_paths=("etc/nginx/conf.d/blog.conf",)), "new.test")
    assert (
        moved("etc/nginx/conf.d/old.test.d/blog.conf", "old.test", "new.test")
        == "etc/nginx/conf.d/new.test.d/blog.conf"
    )
    assert moved("etc/yunohost/apps/blog", "old.test", "new.test") == "etc/yunohost/apps/blog"


def test_whole_words_of_text_files_are_rewritten(tmp_path: Path) -> None:
    top, outside = tmp_path / "apps", tmp_path / "outside"
    top.mkdir()
    outside.write_text("old.test")
    (top / "settings.yml").write_text(
        "domain: old.test\nmore: very-old.test old.test.org sub.old.test\nurl: https://old.test/x.\n"
    )
    (top / "settings.yml").chmod(0o400)
    (top / "binary").write_bytes(b"\0old.test")
    (top / "link").symlink_to(outside)
    assert rewrite(top, "old.test", "new.test") == 1
    text = (top / "settings.yml").read_text()
    assert text == "domain: new.test\nmore: very-old.test old.test.org sub.old.test\nurl: https://new.test/x.\n"
    assert (top / "settings.yml").stat().st_mode & 0o777 == 0o400
    assert outside.read_text() == "old.test" and (top / "binary").read_bytes() == b"\0old.test"
