"""coloc.yml: what people write. Every key is known, every mistake is told at once with its line and what to write.

Types here come from humans (`Described`): immutable, misspelt keys are errors. Reading changes nothing anywhere.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from coloc.errors import ConfigError

DEFAULT_PATH = Path("/etc/coloc-agent/coloc.yml")
STAGES = ("observe", "backup", "alert", "enforce")
_MAX_BYTES = 256 * 1024
_MAX_NODES = 50_000  # of the file once its aliases (*) are written out
_MAX_TOLD = 50  # mistakes in one answer
_TEN_YEARS = 3650 * 86400.0


class Described(BaseModel):
    """Something written by a human: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)


_UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_UNITS |= {f"{unit}B": value for unit, value in _UNITS.items() if unit in "KMGT" and unit}
_UNITS |= {f"{unit[0]}o": value for unit, value in _UNITS.items() if unit in ("K", "M", "G", "T")}  # French "Go"


def parse_bytes(value: object) -> int:
    """`10G` → 10_000_000_000 bytes; `10GiB` → 2**30 times ten; `10 Go` as well; a plain number is bytes."""
    if isinstance(value, bool):
        raise ValueError("write a size such as 10G or 500M")
    if isinstance(value, int):
        size = float(value) if value.bit_length() < 64 else 2.0**64
    else:
        match = re.fullmatch(r"\s*(\d{1,20}(?:[.,]\d{1,20})?)\s*([A-Za-z]*)\s*", _word(value))
        if not match or match[2] not in _UNITS:
            raise ValueError("write a size such as 10G or 500M")
        size = float(match[1].replace(",", ".")) * _UNITS[match[2]]
    if size < 1:
        raise ValueError("write a size above zero")
    if size >= 2**63:
        raise ValueError("write a size that a disk can have")
    return int(size)


def _word(value: object) -> str:
    """A text or number as it was written; never a list or a mapping, which could be written out without end."""
    if isinstance(value, int) and value.bit_length() > 128:
        return ""  # a number without end
    return str(value) if isinstance(value, str | int | float) else ""


_SPANS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "j": 86400, "w": 604800}


def parse_seconds(value: object) -> float:
    """`90s`, `15m`, `2h`, `7d` → seconds; a plain number is seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if abs(value) < _TEN_YEARS else _TEN_YEARS + 1
    else:
        match = re.fullmatch(r"\s*(\d{1,20}(?:[.,]\d{1,20})?)\s*([a-z]*)\s*", _word(value))
        if not match or match[2] not in {*_SPANS, ""}:
            raise ValueError("write a time span such as 90s, 15m, 2h or 7d")
        seconds = float(match[1].replace(",", ".")) * _SPANS.get(match[2], 1)
    if seconds < 0:
        raise ValueError("write a time span that is not negative")
    if not seconds <= _TEN_YEARS:
        raise ValueError("write a time span of ten years at most")
    return seconds


def _parse_clock(value: object) -> object:
    # YAML 1.1 reads an unquoted 22:30 as the number 1350 (base 60).
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return f"{value // 60:02d}:{value % 60:02d}"
    if not re.fullmatch(r"([01]?[0-9]|2[0-3]):[0-5][0-9]", _word(value)):
        raise ValueError("write a time of day such as 02:30")
    return _word(value).zfill(5)


def _parse_zone(value: object) -> object:
    try:
        ZoneInfo(_word(value) or "?")
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("write a time zone such as Europe/Paris") from error
    return value


def _absolute(value: object) -> object:
    """The value is not repeated: somebody may have typed the secret itself where its file belongs."""
    if not isinstance(value, Path) and not _word(value).startswith("/"):
        raise ValueError("write the absolute path of a file or folder, such as /etc/coloc-agent/passphrase")
    return value


def _nothing_means_defaults(value: object) -> object:
    """`console:` with nothing behind it is how people write `console: {}`; it does not mean "no console"."""
    return {} if value is None else value


Bytes = Annotated[int, BeforeValidator(parse_bytes)]
Seconds = Annotated[float, BeforeValidator(parse_seconds)]
ClockTime = Annotated[str, BeforeValidator(_parse_clock)]
Zone = Annotated[str, BeforeValidator(_parse_zone)]
Place = Annotated[Path, BeforeValidator(_absolute)]
# Names become labels, archive names and folder names: short, plain, never an option or a path.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class Listen(Described):
    """Where the page and /metrics answer."""

    host: str = "127.0.0.1"
    port: int = Field(default=9942, ge=0, le=65535)
    web_config: Place | None = None  # certificate and users, as Prometheus' exporters read them

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(value: object) -> object:
    """`127.0.0.1:9942`, `[::1]:9942`, `9942`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"port": value}
    if isinstance(value, str):
        match = re.fullmatch(r"(?:\[([0-9A-Za-z:.%]+)\]|([^:\s/]+)):([0-9]{1,5})", value)
        if not match:
            raise ValueError("write an address such as 127.0.0.1:9942 or [::1]:9942")
        return {"host": match[1] or match[2], "port": int(match[3])}
    return value


class Adminsys(Described):
    """A person who looks after apps. Only what messages need; nothing personal is required."""

    matrix: Annotated[str, Field(pattern=r"^@[^:\s]+:\S+$")] | None = None
    forum: str | None = None


class Limit(Described):
    """A quota's two marks: told from `soft`, acted on (when that is agreed) from `hard`."""

    soft: float = Field(gt=0)
    hard: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Limit:
        if self.hard < self.soft:
            raise ValueError("hard is below soft: write the larger value as hard")
        return self


def _limit_of(parse: Any) -> Any:
    def read(value: object) -> object:
        if isinstance(value, Mapping):
            return {str(key): parse(mark) if key in {"soft", "hard"} else mark for key, mark in value.items()}
        hard = parse(value)
        return {"soft": hard * 0.8, "hard": hard}

    return read


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ValueError("write a number above zero")
    return float(value)


ByteLimit = Annotated[Limit, BeforeValidator(_limit_of(parse_bytes))]
NumberLimit = Annotated[Limit, BeforeValidator(_limit_of(_number))]


class Quotas(Described):
    """What was agreed with a project. `10G` alone means hard 10G, soft 80 % of it."""

    cpu: NumberLimit | None = None  # cores
    memory: ByteLimit | None = None
    disk: ByteLimit | None = None
    database: ByteLimit | None = None
    processes: NumberLimit | None = None
    mail_per_hour: NumberLimit | None = None
    grace: Seconds = 7 * 86400.0
    allow: Literal["warn", "throttle", "hard"] = "warn"

    def limits(self) -> Iterator[tuple[str, Limit]]:
        """(resource, limit) of what is set, in the order above."""
        for resource in RESOURCES:
            limit = getattr(self, resource)
            if limit is not None:
                yield resource, limit


RESOURCES = ("cpu", "memory", "disk", "database", "processes", "mail_per_hour")


class Project(Described):
    """One of the small projects that live here."""

    title: str = ""
    kind: Literal["volunteer", "informal", "association", "company"] = "volunteer"
    apps: tuple[str, ...] = ()  # ids, or patterns such as wordpress*
    adminsys: tuple[str, ...] = ()
    quotas: Quotas = Quotas()
    room: Annotated[str, Field(pattern=r"^[!#]\S+$")] | None = None


class DeclaredDatabase(Described):
    """A database that coloc.yml names: `name` is a path when the kind is sqlite."""

    kind: Literal["mysql", "postgresql", "sqlite"]
    name: str = Field(min_length=1)


class AppEntry(Described):
    """What coloc.yml says of an app: who shares it; and, without YunoHost, what it is made of."""

    shared_by: dict[str, Annotated[float, Field(gt=0)]] = {}
    label: str | None = None
    folders: tuple[Annotated[str, Field(pattern=r"^/")], ...] = ()
    user: str | None = None
    units: tuple[str, ...] = ()
    databases: tuple[DeclaredDatabase, ...] = ()
    domain: str | None = None
    path: str = "/"

    @property
    def is_declared(self) -> bool:
        """True when the entry describes an app by itself, so that it exists without YunoHost."""
        return bool(self.folders or self.user or self.units or self.databases)


class Keep(Described):
    """How many archives of each app stay: the newest of each day, week, month and year."""

    last: int = Field(default=2, ge=1)
    daily: int = Field(default=7, ge=0)
    weekly: int = Field(default=4, ge=0)
    monthly: int = Field(default=6, ge=0)
    yearly: int = Field(default=0, ge=0)


class BackupHost(Described):
    """A place that keeps our archives: a folder (`path`) or a friend's server (`ssh`)."""

    path: Path | None = None
    ssh: Annotated[str, Field(pattern=r"^ssh://[^\s-][^\s]*$")] | None = None
    passphrase_file: Place | None = None
    key_file: Place | None = None  # the ssh key; known_hosts lies beside it
    known_hosts_file: Place | None = None
    remote_borg: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]+$")] | None = None
    at: ClockTime | None = None  # overrides backup.at
    keep: Keep | None = None  # overrides backup.keep

    @model_validator(mode="after")
    def _one_place(self) -> BackupHost:
        if (self.path is None) == (self.ssh is None):
            raise ValueError("write either path: /folder or ssh: ssh://user@host/./folder")
        if self.path is not None and not self.path.is_absolute():
            raise ValueError("write an absolute folder in path:")
        return self

    @property
    def repository(self) -> str:
        """The repository as Borg names it."""
        return self.ssh or str(self.path)


class Backup(Described):
    """The nightly run."""

    hosts: dict[Name, BackupHost] = {}
    at: ClockTime = "02:30"
    keep: Keep = Keep()
    late_after: Seconds = 36 * 3600.0
    max_duration: Seconds = 6 * 3600.0
    passphrase_file: Place | None = None  # for every host that has none of its own
    exclude: tuple[str, ...] = ()


class MatrixChannel(Described):
    """A Matrix account that speaks in rooms."""

    homeserver: Annotated[str, Field(pattern=r"^https?://\S+$")]
    token_file: Place | None = None
    room: Annotated[str, Field(pattern=r"^[!#]\S+$")]
    allow_encrypted: bool = False
    language: Literal["fr", "en"] | None = None


class ForumChannel(Described):
    """The Discourse thread where maintenances are declared."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    user: str
    key_file: Place | None = None
    topic: int = Field(gt=0)
    language: Literal["fr", "en"] | None = None


class ConsoleChannel(Described):
    """Messages on the agent's own output (the journal)."""

    language: Literal["fr", "en"] | None = None


class Channels(Described):
    """Where incidents are told."""

    console: Annotated[ConsoleChannel | None, BeforeValidator(_nothing_means_defaults)] = None
    matrix: MatrixChannel | None = None
    forum: ForumChannel | None = None


# The rules of agent.rules: so that a misspelt one is a mistake, and not a rule that nobody changed.
RULE_NAMES = (
    "app_down",
    "collector_failing",
    "host_unreachable",
    "backup_failed",
    "backup_late",
    "disk_nearly_full",
    "quota_exceeded",
    "config_invalid",
)


def _known_rule(name: str) -> str:
    if name not in RULE_NAMES:
        raise ValueError(f"is not a rule that I know{_nearest(name, RULE_NAMES)}")
    return name


RuleName = Annotated[str, AfterValidator(_known_rule)]


class RuleChange(Described):
    """What people change of a rule; a rule that is off is not evaluated."""

    off: bool = False
    above: Annotated[float, Field(gt=0, le=1)] | None = None  # a part of the whole: 0.9
    below: float | None = None
    wait: Seconds | None = None  # how long before it is told
    clear_after: Seconds | None = None  # how long it must stay away before it is over
    severity: Literal["info", "warning", "critical"] | None = None


class Sampling(Described):
    """How often the agent looks. The defaults suit a server of sixty apps."""

    every: Annotated[Seconds, Field(ge=0.05)] = 5.0
    disk_every: Seconds = 3600.0
    databases_every: Seconds = 60.0


class Coloc(Described):
    """The colocation itself."""

    name: Name
    kind: Literal["cms", "cloud"] = "cloud"
    language: Literal["fr", "en"] = "fr"
    timezone: Zone = "Europe/Paris"


class Paths(Described):
    """Where the agent keeps its things; the demo and tests move them."""

    state: Place = Path("/var/lib/coloc-agent")
    facts: Place = Path("/var/lib/coloc-agent-facts")
    journal: Place = Path("/var/lib/coloc-agent-root")
    requests: Place = Path("/run/coloc-agent/requests")
    wake: Place = Path("/run/coloc-agent/wake")


class DatabaseServers(Described):
    """Where the database servers are, when they are not where their own programs look. Root enters by their sockets."""

    mysql_socket: str = ""
    mysql_defaults_file: str = ""
    pg_host: str = ""
    pg_port: int = Field(default=0, ge=0, le=65535)
    pg_user: str = ""
    pg_run_as: str = "postgres"


_Model = TypeVar("_Model", bound=Described)


class Config(Described):
    """The whole of coloc.yml."""

    coloc: Coloc
    stage: Literal["observe", "backup", "alert", "enforce"] = "observe"
    listen: Annotated[Listen, BeforeValidator(parse_listen)] = Listen()
    projects: dict[Name, Project] = {}
    apps: dict[Name, AppEntry] = {}
    adminsys: dict[str, Annotated[Adminsys, BeforeValidator(_nothing_means_defaults)]] = {}
    backup: Backup = Backup()
    channels: Channels = Channels()
    rules: dict[RuleName, RuleChange] = {}
    sampling: Sampling = Sampling()
    startup_quiet: Seconds = 60.0
    root: Place = Path("/")
    paths: Paths = Paths()
    database_servers: DatabaseServers = DatabaseServers()

    @model_validator(mode="after")
    def _names_agree(self) -> Config:
        strangers = list(islice(_strangers(self.model_dump(include={"projects", "apps", "adminsys"})), _MAX_TOLD))
        if strangers:
            raise ValueError("; ".join(f"{'.'.join(map(str, place))}: {words}" for place, words in strangers))
        return self

    def reaches(self, stage: str) -> bool:
        """True when the colocation has come at least as far as `stage`."""
        return STAGES.index(self.stage) >= STAGES.index(stage)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which people read times."""
        return ZoneInfo(self.coloc.timezone)


def load_config(path: Path) -> Config:
    """Read coloc.yml. Raises ConfigError with one line per mistake: place, what is wrong, what to write."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}",
            hint="write one with `coloc-agent init`, or name it with --config",
        ) from error
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{path} is larger than {_MAX_BYTES // 1024} KiB", hint="is it the right file?")
    return parse_config(raw, str(path))


def parse_config(raw: bytes, name: str) -> Config:
    """The same from bytes; `name` is how messages call the file."""
    node, data, repeated = _read_yaml(raw, name)
    problems = repeated + [_at(node, place, words) for place, words in islice(_strangers(data), _MAX_TOLD)]
    config = None
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        # Of the names that do not agree (a mistake without a place) every one is in the list already.
        found = [item for item in error.errors(include_url=False) if item["loc"] or item["type"] != "value_error"]
        problems += [_mistake(item, node) for item in found[:_MAX_TOLD]]
    if config is None or problems:
        told = sorted(set(problems), key=_by_line)
        lines = "\n".join(f"{name}, {problem}" for problem in told[:_MAX_TOLD])
        more = f"\n{name}: and more" if len(told) > _MAX_TOLD else ""
        raise ConfigError(lines + more, hint="nothing was changed; mend these lines and try again")
    return config


def parse_as(model: type[_Model], raw: bytes, name: str) -> _Model:
    """Another file that people write, read with the same care. Raises ConfigError with one line per mistake."""
    node, data, problems = _read_yaml(raw, name)
    try:
        if not problems:
            return model.model_validate(data)
    except ValidationError as error:
        problems = [_mistake(item, node, model) for item in error.errors(include_url=False)[:_MAX_TOLD]]
    told = sorted(set(problems), key=_by_line)
    raise ConfigError("\n".join(f"{name}, {problem}" for problem in told[:_MAX_TOLD]), hint="mend these lines")


def _read_yaml(raw: bytes, name: str) -> tuple[yaml.Node, dict[Any, Any], list[str]]:
    """The file as nodes (for their lines), as data, and what can be told of its form alone. Raises ConfigError."""
    loader = None
    try:
        loader = _Loader(raw.decode("utf-8"))
        node = loader.get_single_node()
        _refuse_bombs(node, name)
        repeated = list(islice(_repeated_keys(node), _MAX_TOLD + 1))
        data = loader.construct_document(node) if node else None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 text", hint="save it as UTF-8") from error
    except RecursionError as error:
        raise ConfigError(f"{name} is nested too deeply", hint="is it the right file?") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
        # PyYAML raises any of these for a tag (!!int, !!timestamp, …) before something that is not one.
        mark = getattr(error, "problem_mark", None)
        place = f"{name}, line {mark.line + 1}" if mark else name
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "a value is not what its tag says"
        raise ConfigError(
            f"{place}: not valid YAML: {_short(what)}", hint="check the indentation and the quotes there"
        ) from error
    finally:
        if loader is not None:
            loader.dispose()
    if node is None or not isinstance(data, dict):
        raise ConfigError(f"{name} holds no configuration", hint="begin with `coloc:` and `name:` below it")
    return node, data, repeated


class _Loader(yaml.SafeLoader):
    """YAML whose only booleans are true and false: by the older rule the key `off` and the name `no` are, too."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the form that PyYAML wants
        first: [(tag, shape) for tag, shape in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _refuse_bombs(root: yaml.Node | None, name: str) -> None:
    """Few lines of aliases (*) can stand for more than any memory holds, or for themselves: count before writing out.

    Raises ConfigError, also for characters that no name or file has and no terminal should be shown.
    """
    sizes: dict[int, int] = {}
    stack: list[tuple[yaml.Node, bool]] = [(root, False)] if root else []
    while stack:
        node, inner_is_known = stack.pop()
        inner = _inner(node)
        if inner_is_known:
            counted = [sizes[id(child)] for child in inner]
            if 0 in counted:
                raise ConfigError(f"{name} refers to itself", hint="remove the anchors (&, *)")
            sizes[id(node)] = 1 + sum(counted)
            if sizes[id(node)] > _MAX_NODES:
                raise ConfigError(f"{name} holds more than {_MAX_NODES} values", hint="remove the anchors (&, *)")
        elif id(node) not in sizes:
            sizes[id(node)] = 0  # being counted
            stack += [(node, True), *((child, False) for child in inner)]
            if isinstance(node, yaml.ScalarNode) and _UNPRINTABLE.search(node.value):
                line = node.start_mark.line + 1
                raise ConfigError(f"{name}, line {line}: an invisible character", hint="write that value again")


_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _inner(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _strangers(data: Mapping[Any, Any]) -> Iterator[tuple[list[Any], str]]:
    """Names that stand for nobody: (place, words). It takes data as it was written, whatever its shape."""
    people, projects = _mapping(data.get("adminsys")), _mapping(data.get("projects"))
    for name, project in projects.items():
        listed = _mapping(project).get("adminsys")
        for number, person in enumerate(listed if isinstance(listed, list | tuple) else ()):
            if isinstance(person, str) and person not in people:
                words = f"names {_shown(person)}, who is not in adminsys:{_nearest(person, people)}"
                yield ["projects", name, "adminsys", number], words
    for app, entry in _mapping(data.get("apps")).items():
        for name in _mapping(_mapping(entry).get("shared_by")):
            if name not in projects:
                words = f"names {_shown(name)}, which is not in projects:{_nearest(str(name), projects)}"
                yield ["apps", app, "shared_by", name], words


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _by_line(problem: str) -> tuple[int, str]:
    match = re.match(r"line (\d+)", problem)
    return int(match[1]) if match else 0, problem


def _repeated_keys(node: yaml.Node | None) -> Iterator[str]:
    """YAML keeps the last of two equal keys in silence: people would lose half a file without a word."""
    stack, seen_nodes = [node], set[int]()
    while stack:
        here = stack.pop()
        if here is None or id(here) in seen_nodes:
            continue
        seen_nodes.add(id(here))
        if isinstance(here, yaml.SequenceNode):
            stack += here.value
        if isinstance(here, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in here.value:
                stack.append(value)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in seen:
                    yield f"line {key.start_mark.line + 1}: {_shown(key.value)} stands twice; keep one"
                seen.add(key.value)


# What to write, by the pattern that was missed; a test holds that every pattern has its words.
EXAMPLES = {
    r"^[a-z0-9][a-z0-9_-]{0,39}$": "a short name of small letters, digits, - and _, such as velo-club",
    r"^@[^:\s]+:\S+$": "a Matrix id such as '@lea:example.org'",
    r"^[!#]\S+$": "a room such as '#coloc:example.org' or '!id:example.org'",
    r"^ssh://[^\s-][^\s]*$": "a place such as ssh://coloc@friend.example.org/./backup",
    r"^[A-Za-z0-9_./-]+$": "a program such as borg-1.4 or /usr/bin/borg",
    r"^https?://\S+$": "an address such as https://forum.example.org",
    r"^[^:\x00-\x1f]{1,100}$": "a name without colons",  # of web-config's users
    r"^/": "an absolute path such as /var/www/site",
}
_BOUNDS = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}
_WORDS = {
    "float_type": "write a number",
    "float_parsing": "write a number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "finite_number": "write a number that has an end",
    "string_too_short": "is empty; write a text",
    "missing": "is missing; add it",
    "extra_forbidden": "is not a key that I know",
    "int_type": "write a whole number",
    "string_type": "write a text, in quotes if it looks like a number",
    "bool_type": "write true or false",
    "dict_type": "write keys below it, indented",
    "tuple_type": "write a list: [a, b]",
    "model_type": "write keys below it, indented",
}


def _mistake(item: Any, node: yaml.Node, model: type[BaseModel] = Config) -> str:
    place = [part for part in item["loc"] if part != "[key]"]
    kind, message = item["type"], str(item["msg"])
    words = _WORDS.get(kind)
    if kind == "extra_forbidden":
        words = f"is not a key that I know{_nearest(_short(place[-1]), _keys_at(place[:-1], model))}"
    elif kind == "literal_error":
        words = f"is {_shown(item['input'])}; write one of {item['ctx']['expected']}"
    elif kind in _BOUNDS:
        (bound,) = item["ctx"].values()
        words = f"is {_shown(item['input'])}; write a number {_BOUNDS[kind]} {bound:g}"
    elif kind == "string_pattern_mismatch":
        words = f"is {_shown(item['input'])}; write {EXAMPLES.get(item['ctx']['pattern'], 'something else')}"
    elif kind == "value_error":
        words = message.removeprefix("Value error, ")
    return _at(node, place, words or message.lower())


def _at(node: yaml.Node, place: list[Any], words: str) -> str:
    dotted = ".".join(_short(part) for part in place) or "the file"
    return f"line {_line_of(node, place)}: {dotted}: {words}"


def _shown(value: object) -> str:
    """A wrong value as it was written, if it is one word or number; a list has no end."""
    return repr(_short(value)) if isinstance(value, str) else _short(_word(value) or "a list or a mapping")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _line_of(node: yaml.Node | None, place: list[Any]) -> int:
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if str(key.value) == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _keys_at(place: list[Any], model: type[BaseModel]) -> list[str]:
    """The keys that are known at a place: follow the types from the model downwards."""
    is_name = False  # the next part is a name that people chose, below a dict
    for part in place:
        if is_name:
            is_name = False
            continue
        field = model.model_fields.get(str(part))
        kinds = list(_types_in(field.annotation)) if field else []
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not models:
            return []
        model = models[0]
        is_name = any(get_origin(kind) is dict for kind in kinds)
    return [field.alias or name for name, field in model.model_fields.items()]


def _types_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _types_in(part)


def _nearest(word: str, known: Any) -> str:
    names = sorted(_short(name) for name in islice(known, 500))
    match = difflib.get_close_matches(_short(word), names, n=1)
    if match:
        return f"; did you mean {match[0]!r}?"
    return f"; known: {', '.join(names[:12])}" if names else ""
