"""coloc.yml as people and enemies write it: every mistake at once with its line, nothing that hangs or escapes."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agent.rules import RULES
from coloc.config.mistakes import EXAMPLES
from coloc.config.reading import load_config, parse_config
from coloc.config.rules import RULE_NAMES
from coloc.config.values import parse_bytes, parse_seconds
from coloc.config.whole import Config
from coloc.errors import ConfigError

SMALLEST = "coloc: {name: test}\n"
FIFTEEN_LINES = """\
coloc:
  name: alsace
  kind: cloud
adminsys:
  lea: {matrix: "@lea:example.org"}
  camille:
projects:
  chorale:
    apps: [wordpress, "nextcloud*"]
    adminsys: [lea, camille]
    quotas: {disk: 10G, cpu: 1.5}
backup:
  passphrase_file: /etc/coloc-agent/passphrase
  hosts:
    alouette: {ssh: "ssh://coloc@alouette.example.org/./backup"}
"""


def parse(text: str) -> Config:
    return parse_config(text.encode(), "coloc.yml")


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value).splitlines()


def within(seconds: float, text: str | bytes) -> str:
    """The sentence that refuses `text`, in less than `seconds` of work, however loaded the machine."""
    began = time.process_time()
    with pytest.raises(ConfigError) as caught:
        parse_config(text if isinstance(text, bytes) else text.encode(), "coloc.yml")
    assert time.process_time() - began < seconds
    assert len(caught.value.sentence()) < 10_000
    return caught.value.sentence()


def test_fifteen_lines_are_enough() -> None:
    config = parse(FIFTEEN_LINES)
    assert config.projects["chorale"].adminsys == ("lea", "camille")
    quotas = dict(config.projects["chorale"].quotas.limits())
    assert (quotas["disk"].soft, quotas["disk"].hard) == (8e9, 10e9)
    assert (quotas["cpu"].soft, quotas["cpu"].hard) == (1.5 * 0.8, 1.5)
    assert config.backup.hosts["alouette"].repository == "ssh://coloc@alouette.example.org/./backup"
    assert (config.stage, config.backup.at, config.coloc.language) == ("observe", "02:30", "fr")
    assert config.reaches("observe")
    assert not config.reaches("backup")


def test_every_mistake_is_told_at_once_with_its_line() -> None:
    assert mistakes(
        "coloc:\n  name: Test\n  langage: fr\nstage: backups\nlisten: nowhere\n"
        "projects:\n  chorale:\n    adminsys: [lea]\n    quotas:\n      disk: ten\n"
        "backup:\n  at: 25:00\n  hosts:\n    merle: {}\n"
    ) == [
        "coloc.yml, line 2: coloc.name: is 'Test'; "
        "write a short name of small letters, digits, - and _, such as velo-club",
        "coloc.yml, line 3: coloc.langage: is not a key that I know; did you mean 'language'?",
        "coloc.yml, line 4: stage: is 'backups'; write one of 'observe', 'backup', 'alert' or 'enforce'",
        "coloc.yml, line 5: listen: write an address such as 127.0.0.1:9942 or [::1]:9942",
        "coloc.yml, line 8: projects.chorale.adminsys.0: names 'lea', who is not in adminsys:",
        "coloc.yml, line 10: projects.chorale.quotas.disk: write a size such as 10G or 500M",
        "coloc.yml, line 12: backup.at: write a time of day such as 02:30",
        "coloc.yml, line 14: backup.hosts.merle: write either path: /folder or ssh: ssh://user@host/./folder",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("coloc: {name: a}\nprojets: {}\n", "line 2: projets: is not a key that I know; did you mean 'projects'?"),
        (
            "coloc: {name: a}\nprojects:\n  x:\n    quota: {}\n",
            "line 4: projects.x.quota: is not a key that I know; did you mean 'quotas'?",
        ),
        (
            "coloc: {name: a}\nbackup:\n  hosts:\n    merle:\n      path: /m\n      keep: {dayly: 3}\n",
            "line 6: backup.hosts.merle.keep.dayly: is not a key that I know; did you mean 'daily'?",
        ),
        (
            "coloc: {name: a}\nlisten: {hots: x}\n",
            "line 2: listen.hots: is not a key that I know; did you mean 'host'?",
        ),
        (
            "coloc: {name: a}\nprojects: {x: {quotas: {disk: {sfot: 1G, hard: 2G}}}}\n",
            "line 2: projects.x.quotas.disk.sfot: is not a key that I know; did you mean 'soft'?",
        ),
    ],
)
def test_a_misspelt_key_is_told_with_the_nearest_that_exists(text: str, line: str) -> None:
    assert f"coloc.yml, {line}" in mistakes(text)


def test_a_key_that_resembles_none_is_told_with_those_that_exist() -> None:
    assert mistakes(SMALLEST + "zzz: 1\n")[0].startswith(
        "coloc.yml, line 2: zzz: is not a key that I know; known: adminsys,"
    )


def test_a_key_that_stands_twice_is_told_and_not_silently_dropped() -> None:
    assert mistakes("coloc: {name: a}\nprojects:\n  x: {}\n  y: {}\n  x: {title: T}\n") == [
        "coloc.yml, line 5: 'x' stands twice; keep one"
    ]


def test_a_merged_mapping_may_be_overridden() -> None:
    config = parse(
        "coloc: {name: a}\nprojects:\n  x: &x {kind: association, title: X}\n  y:\n    <<: *x\n    title: Y\n"
    )
    assert (config.projects["y"].kind, config.projects["y"].title) == ("association", "Y")


def test_a_name_without_a_person_or_a_project_is_told_with_its_line_and_the_nearest() -> None:
    text = (
        "coloc: {name: a}\nadminsys: {camille: {}}\nprojects:\n  velo:\n    adminsys: [camile]\n"
        "apps:\n  nextcloud:\n    shared_by:\n      velo: 1\n      vello: 2\n"
    )
    assert mistakes(text) == [
        "coloc.yml, line 5: projects.velo.adminsys.0: names 'camile', who is not in adminsys:; did you mean 'camille'?",
        "coloc.yml, line 10: apps.nextcloud.shared_by.vello: names 'vello', which is not in projects:; "
        "did you mean 'velo'?",
    ]


def test_names_that_do_not_agree_are_refused_without_a_file_too() -> None:
    with pytest.raises(ValueError, match=r"projects\.x\.adminsys\.0: names 'lea'"):
        Config.model_validate({"coloc": {"name": "a"}, "projects": {"x": {"adminsys": ["lea"]}}})


def test_an_app_shared_by_projects_keeps_its_weights() -> None:
    config = parse(SMALLEST + "projects: {a: {}, b: {}}\napps: {nextcloud: {shared_by: {a: 1, b: 2.5}}}\n")
    assert config.apps["nextcloud"].shared_by == {"a": 1.0, "b": 2.5}
    assert not config.apps["nextcloud"].is_declared


@pytest.mark.parametrize("weight", ["0", "-1", ".inf", ".nan", "yes"])
def test_a_weight_is_a_finite_number_above_zero(weight: str) -> None:
    assert mistakes(SMALLEST + f"projects: {{a: {{}}}}\napps: {{x: {{shared_by: {{a: {weight}}}}}}}\n")


@pytest.mark.parametrize(
    ("written", "clock"),
    [("22:30", "22:30"), ("02:30", "02:30"), ("2:30", "02:30"), ("'9:05'", "09:05"), ("0:00", "00:00")],
)
def test_a_time_of_day_may_be_written_without_quotes(written: str, clock: str) -> None:
    assert parse(SMALLEST + f"backup: {{at: {written}}}\n").backup.at == clock


@pytest.mark.parametrize(
    "written", ["24:00", "22:60", "22:30:00", "-1", "yes", "''", "[1]", "{}", "1440", "٢٢:٣٠", "2.5"]
)
def test_what_is_no_time_of_day_is_told(written: str) -> None:
    assert "write a time of day such as 02:30" in mistakes(SMALLEST + f"backup: {{at: {written}}}\n")[0]


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("10G", 10**10),
        ("10GB", 10**10),
        ("10 Go", 10**10),
        ("10GiB", 10 * 2**30),
        ("1,5G", 1_500_000_000),
        ("1.5 TiB", int(1.5 * 2**40)),
        ("300K", 300_000),
        (4096, 4096),
        (" 7 M ", 7_000_000),
        ("12", 12),
        (1.5e3, 1500),
    ],
)
def test_sizes_as_people_write_them(written: object, size: int) -> None:
    assert parse_bytes(written) == size


@pytest.mark.parametrize(
    "written",
    [
        "",
        "G",
        "-1G",
        "0",
        0,
        -5,
        True,
        None,
        [],
        {},
        "1e9G",
        "10X",
        "10 G o",
        "1.G",
        "9" * 400 + "G",
        10**400,
        "0.1",
        float("nan"),
        float("inf"),
        "1_000",
    ],
)
def test_what_is_no_size_is_a_value_error(written: object) -> None:
    with pytest.raises(ValueError, match="write a size"):
        parse_bytes(written)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("15min", 900),
        ("2h", 7200),
        ("7d", 604800),
        ("7 j", 604800),
        (5, 5),
        (0.5, 0.5),
        ("0", 0),
        ("1,5h", 5400),
    ],
)
def test_spans_as_people_write_them(written: object, seconds: float) -> None:
    assert parse_seconds(written) == seconds


@pytest.mark.parametrize(
    "written",
    ["", "h", "-1s", -1, True, None, "2 hours", "9" * 400, "9" * 19 + "w", 10**400, float("nan"), float("inf"), []],
)
def test_what_is_no_span_is_a_value_error(written: object) -> None:
    with pytest.raises(ValueError, match="write a time span"):
        parse_seconds(written)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("127.0.0.1:9942", "127.0.0.1:9942"),
        ("'[::1]:80'", "[::1]:80"),
        ("9000", "127.0.0.1:9000"),
        ("'[fe80::1%eth0]:80'", "[fe80::1%eth0]:80"),
        ("localhost:1", "localhost:1"),
        ("{host: '::', port: 1}", "[::]:1"),
    ],
)
def test_where_to_listen(written: str, shown: str) -> None:
    assert str(parse(SMALLEST + f"listen: {written}\n").listen) == shown


@pytest.mark.parametrize(
    "written",
    ["'::1:80'", "localhost", "':80'", "a:99999", "a:-1", "99999", "yes", "[1]", f"a:{'9' * 5000}", "http://a:80"],
)
def test_where_nobody_can_listen(written: str) -> None:
    assert mistakes(SMALLEST + f"listen: {written}\n")[0].startswith("coloc.yml, line 2: listen")


def test_a_quota_has_two_marks_in_order() -> None:
    text = SMALLEST + "projects: {x: {quotas: {disk: {soft: 5G, hard: 6G}, processes: {soft: 10, hard: 9}}}}\n"
    assert mistakes(text) == [
        "coloc.yml, line 2: projects.x.quotas.processes: hard is below soft: write the larger value as hard"
    ]


@pytest.mark.parametrize("written", ["1e400", ".inf", ".nan", "-1", "0", "'2'", "yes", "[]", "1e13"])
def test_a_number_in_a_quota_is_finite_and_above_zero(written: str) -> None:
    assert "write a number above zero" in mistakes(SMALLEST + f"projects: {{x: {{quotas: {{cpu: {written}}}}}}}\n")[0]


@pytest.mark.parametrize("key", ["passphrase_file", "key_file"])
def test_a_secret_typed_in_place_of_its_file_is_not_repeated(key: str) -> None:
    if key == "passphrase_file":
        sentence = within(1, SMALLEST + "backup: {passphrase_file: correct horse battery}\n")
    else:
        sentence = within(1, SMALLEST + "backup: {hosts: {m: {path: /m, key_file: correct horse battery}}}\n")
    assert "horse" not in sentence
    assert "write the absolute path" in sentence


def test_a_secret_under_a_key_that_does_not_exist_is_not_repeated() -> None:
    assert "hunter2" not in within(
        1, SMALLEST + "backup: {passphrase: hunter2}\nchannels: {matrix: {token: hunter2}}\n"
    )


def test_a_secret_in_a_file_that_is_not_yaml_is_not_repeated() -> None:
    assert "hunter2" not in within(1, SMALLEST + "backup:\n  passphrase: 'hunter2\n  hosts: [\n")


def test_off_no_and_yes_are_words_and_not_booleans() -> None:
    config = parse("coloc: {name: no}\nprojects: {on: {title: Yes}}\nrules: {app_down: {off: yes}}\n")
    assert (config.coloc.name, config.projects["on"].title, config.rules["app_down"].off) == ("no", "Yes", True)


def test_a_rule_that_does_not_exist_is_told_with_the_nearest() -> None:
    assert mistakes(SMALLEST + "rules: {app_dwn: {off: true}}\n") == [
        "coloc.yml, line 2: rules.app_dwn: is not a rule that I know; did you mean 'app_down'?"
    ]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("rules: {memory_low: {above: 0.5}}", "this rule has its threshold in below:"),
        ("rules: {app_down: {above: 0.5}}", "this rule has no threshold"),
        ("rules: {memory_low: {below: 200%}}", "write a number of at most 1"),
        ("rules: {mail_burst: {above: many}}", "write a threshold such as 0.9, 90%, 15m, 10G or 200"),
        ("custom_rules: {a: {metric: coloc_app_memory_byts, above: 1G}}", "did you mean 'coloc_app_memory_bytes'?"),
        ("custom_rules: {a: {metric: coloc_app_memory_bytes}}", "write one threshold, above or below"),
        (
            "custom_rules: {a: {metric: coloc_app_memory_bytes, above: 1, labels: {ap: x}}}",
            "coloc_app_memory_bytes has no label 'ap'; did you mean 'app'?",
        ),
        ("custom_rules: {a: {metric: coloc_mail_open, above: 1, clear: 2}}", "clear: must lie on the good side"),
        ("quiet_hours: tonight", "write two times of day such as 22:00-08:00, or off"),
        ("apps: {blog: {service: gold}}", "write one of 'best_effort', 'standard' or 'high'"),
    ],
)
def test_a_rule_that_cannot_be_is_told(written: str, told: str) -> None:
    (mistake,) = mistakes(SMALLEST + written + "\n")
    assert mistake.startswith("coloc.yml, line 2: ")
    assert told in mistake


def test_thresholds_are_written_as_people_think_of_them() -> None:
    text = "rules: {memory_low: {below: 10%}, certificate_expiring: {below: 14d, for: 1h, clear_for: 2h}}\n"
    config = parse(SMALLEST + text + "quiet_hours: off\n")
    assert config.rules["memory_low"].below == 0.1
    change = config.rules["certificate_expiring"]
    assert (change.below, change.wait, change.clear_after) == (14 * 86400, 3600, 7200)
    assert config.quiet_hours is None
    assert parse(SMALLEST + "quiet_hours: 23:00 - 7:00\n").quiet_hours == "23:00-07:00"


def test_every_rule_of_the_agent_can_be_changed_and_no_other() -> None:
    assert tuple(RULES) == RULE_NAMES
    config = parse(SMALLEST + "rules:\n" + "".join(f"  {name}: {{off: true}}\n" for name in RULES))
    assert all(change.off for change in config.rules.values())


def test_a_channel_with_nothing_behind_it_is_on() -> None:
    assert parse(SMALLEST + "channels:\n  console:\n").channels.console is not None
    assert parse(SMALLEST).channels.console is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no configuration"),
        ("# nothing\n", "holds no configuration"),
        ("- a\n- b\n", "holds no configuration"),
        ("just words", "holds no configuration"),
        ("a: [1\n", "not valid YAML"),
        ("a: b: c\n", "line 1: not valid YAML: mapping values are not allowed here"),
        ("a: 1\n\tb: 2\n", "line 2: not valid YAML"),
        ("--- {}\n--- {}\n", "not valid YAML"),
        ("a: !!python/object/apply:os.system [id]\n", "not valid YAML"),
        ("a: !!python/name:os.system\n", "not valid YAML"),
        ("a: !!timestamp x\n", "not valid YAML"),
        ("a: !!int ''\n", "not valid YAML"),
        ("a: !!float ''\n", "not valid YAML"),
        ("a: !!bool x\n", "not valid YAML"),
        ("a: !!binary é\n", "not valid YAML"),
        ("a: !!set [x]\n", "not valid YAML"),
        ("a: !!omap x\n", "not valid YAML"),
        ("coloc: 2026-99-99\n", "line 1: coloc: write keys below it"),
        ("a: " + "9" * 5000 + "\n", "not valid YAML"),
        ("a: 1" + ":1" * 400 + ".5\n", "not valid YAML"),
        ("? [a, b]\n: c\n", "not valid YAML"),
        ("? {a: b}\n: c\n", "not valid YAML"),
        ("a: \0\n", "not valid YAML"),
        ('a: "\\0"\n', "line 1: an invisible character"),
        ('a: "\\e[31m"\n', "line 1: an invisible character"),
        ('a: "\\ud800"\n', "line 1: an invisible character"),
        ('"\\u202ea": 1\n', "line 1: an invisible character"),
        ("a: *nobody\n", "not valid YAML"),
        ("a: &a [*a]\n", "refers to itself"),
        ("a: &a {b: *a}\n", "refers to itself"),
        ("a: &a {<<: *a}\n", "refers to itself"),
        ("[" * 100_000, "nested too deeply"),
        ("- " * 100_000, "nested too deeply"),
        ("{a: " * 50_000, "nested too deeply"),
    ],
)
def test_hostile_yaml_is_one_sentence(text: str, why: str) -> None:
    assert why in within(10, text)


def test_what_is_not_utf8_is_one_sentence() -> None:
    assert within(1, b"coloc: {name: \xff}\n") == "coloc.yml is not UTF-8 text — save it as UTF-8"


@pytest.mark.parametrize(
    "leaf",
    [
        "coloc: *bomb",
        "stage: *bomb",
        "listen: *bomb",
        "backup: {at: *bomb}",
        "startup_quiet: *bomb",
        "root: *bomb",
        "projects: {x: {quotas: {disk: *bomb}}}",
        "coloc: {timezone: *bomb}",
        "? *bomb\n: 1",
    ],
)
def test_a_few_aliases_that_stand_for_billions_are_refused_at_once(leaf: str) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "holds more than" in within(1, "\n".join(lines) + "\n" + leaf.replace("*bomb", "*a11") + "\n")


def test_a_few_merges_that_stand_for_billions_are_refused_at_once() -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    assert "holds more than" in within(1, "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "text",
    [
        SMALLEST + "".join(f"key{n}: 1\n" for n in range(15_000)),
        SMALLEST + "projects: {x: {adminsys: [" + ", ".join(f"p{n}" for n in range(20_000)) + "]}}\n",
        SMALLEST
        + "adminsys: {"
        + ", ".join(f"p{n}: {{}}" for n in range(8_000))
        + "}\nprojects: {x: {adminsys: ["
        + ", ".join(f"q{n}" for n in range(8_000))
        + "]}}\n",
        SMALLEST + "stage: " + "x" * 200_000 + "\n",
        SMALLEST + "x" * 900 + ": 1\n",
        SMALLEST + "a: 1\n" * 30_000,
        SMALLEST + "a: 1" + ":1" * 100_000 + "\n",
        SMALLEST + "listen: 0x" + "f" * 100_000 + "\n",
        SMALLEST + "stage: 0x" + "f" * 100_000 + "\n",
        SMALLEST + "startup_quiet: 0x" + "f" * 100_000 + "\n",
    ],
    ids=["keys", "people", "both", "value", "key", "twice", "base60", "hex listen", "hex stage", "hex span"],
)
def test_a_large_file_is_answered_soon_and_shortly(text: str) -> None:
    within(20, text)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "coloc.yml"
    path.write_text("#" * 300_000)
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        load_config(path)


def test_a_file_that_is_missing_or_a_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"coloc\.yml cannot be read: No such file"):
        load_config(tmp_path / "coloc.yml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)


KEYS = st.sampled_from(
    [
        *Config.types(),
        "name",
        "apps",
        "adminsys",
        "quotas",
        "disk",
        "hosts",
        "at",
        "keep",
        "x",
        "shared_by",
        "soft",
        "hard",
        "path",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.dates()
    | st.binary(max_size=4)
    | st.sampled_from(["10G", "02:30", "observe", "lea", "7d", "/x", "[::1]:1"])
)
DATA = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | LEAVES.filter(lambda key: key == key), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=150, deadline=2000)
@given(DATA)
def test_whatever_the_data_only_a_config_error_comes_out(data: Any) -> None:
    text = yaml.safe_dump({"coloc": {"name": "a"}, **data} if isinstance(data, dict) else data, allow_unicode=True)
    try:
        parse_config(text.encode("utf-8", "surrogatepass"), "coloc.yml")
    except ConfigError as error:
        assert error.hint


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=80) | st.text(alphabet="a:{}[]&*!|>-?%@`'\"\n #,0.<~", max_size=60).map(str.encode))
def test_whatever_the_bytes_only_a_config_error_comes_out(raw: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_config(raw, "coloc.yml")


def test_every_pattern_of_the_file_has_words_for_people() -> None:
    def patterns(schema: object) -> set[str]:
        if isinstance(schema, dict):
            own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
            return own.union(*map(patterns, schema.values()))
        return set().union(*map(patterns, schema)) if isinstance(schema, list) else set()

    found = patterns(TypeAdapter(Config).json_schema())
    assert found - set(EXAMPLES) == set()
    assert len(found) > 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("listen: {port: 70000}", "listen.port: is 70000; write a number of at most 65535"),
        ("backup: {keep: {daily: -1}}", "backup.keep.daily: is -1; write a number of at least 0"),
        ("projects: {velo: {room: velo}}", "projects.velo.room: is 'velo'; write a room such as"),
        ("rules: {disk_nearly_full: {above: 2}}", "write a number of at most 1"),
        ("backup: {keep: {daily: 1.5}}", "write a whole number"),
    ],
)
def test_a_value_out_of_its_bounds_is_told_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        parse_config(f"coloc: {{name: t}}\n{text}\n".encode(), "coloc.yml")
