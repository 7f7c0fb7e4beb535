"""Grafana's dashboard schema, as far as our dashboards go; what is not here is not known, and is a mistake.

Written after its public definitions (kinds/dashboard; the panelcfg of stat, timeseries, table, bargauge), schema 36.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OneOf:
    """Exactly one of these values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Number:
    """A whole number from `least` to `most`."""

    least: int = 0
    most: int = 2**32 - 1


@dataclass(frozen=True)
class ListOf:
    """A list of things of this shape."""

    shape: Any


@dataclass(frozen=True)
class MapOf:
    """Any keys, things of this shape."""

    shape: Any


@dataclass(frozen=True)
class Either:
    """One of several shapes."""

    shapes: tuple[Any, ...]


def mistakes(value: Any, shape: Any, place: str = "dashboard") -> Iterator[str]:
    """Where `value` is not of `shape`. In a mapping `!` after a key says that it must be there."""
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            yield f"{place}: {type(value).__name__} instead of keys"
            return
        known = {key.rstrip("!"): inner for key, inner in shape.items()}
        yield from (f"{place}.{key[:-1]} is missing" for key in shape if key.endswith("!") and key[:-1] not in value)
        for key, inner in value.items():
            yield from (
                mistakes(inner, known[key], f"{place}.{key}") if key in known else [f"{place}.{key} is not known"]
            )
    elif isinstance(shape, ListOf):
        if not isinstance(value, list):
            yield f"{place}: {type(value).__name__} instead of a list"
            return
        for number, inner in enumerate(value):
            yield from mistakes(inner, shape.shape, f"{place}[{number}]")
    elif isinstance(shape, MapOf):
        for key, inner in value.items() if isinstance(value, dict) else [("?", value)]:
            yield from mistakes(inner, shape.shape, f"{place}.{key}")
    elif isinstance(shape, Either):
        found = [list(mistakes(value, each, place)) for each in shape.shapes]
        if all(found):
            yield from min(found, key=len)
    elif isinstance(shape, OneOf):
        if not any(value == each and type(value) is type(each) for each in shape.values):
            yield f"{place}: {value!r} is none of {shape.values}"
    elif isinstance(shape, Number):
        if type(value) is not int or not shape.least <= value <= shape.most:
            yield f"{place}: {value!r} is no whole number from {shape.least} to {shape.most}"
    elif type(value) not in (shape if isinstance(shape, tuple) else (shape,)):
        yield f"{place}: {type(value).__name__} instead of {shape}"


_REAL = (int, float)
_SOURCE = {"type!": str, "uid!": str}
_LINK = {
    "title!": str,
    "type!": OneOf(("link", "dashboards")),
    "icon!": str,
    "tooltip!": str,
    "url!": str,
    "tags!": ListOf(str),
    "asDropdown": bool,
    "targetBlank": bool,
    "includeVars": bool,
    "keepTime": bool,
}
_VARIABLE = {
    "name!": str,
    "type!": OneOf(("query", "adhoc", "constant", "datasource", "interval", "textbox", "custom", "system")),
    "label": str,
    "hide": OneOf((0, 1, 2)),
    "query": Either((str, {"query!": str, "refId!": str})),
    "definition": str,
    "datasource": _SOURCE,
    "refresh": OneOf((0, 1, 2)),
    "sort": Number(0, 6),
    "multi": bool,
    "includeAll": bool,
    "allValue": str,
}
_TARGET = {
    "refId!": str,
    "datasource!": _SOURCE,
    "expr!": str,
    "legendFormat": str,
    "instant": bool,
    "range": bool,
    "exemplar": bool,
    "hide": bool,
    "format": OneOf(("time_series", "table", "heatmap")),
}
_RESULT = {"text": str, "color": str, "icon": str, "index": Number()}
_MAPPING = Either(
    (
        {"type!": OneOf(("value",)), "options!": MapOf(_RESULT)},
        {"type!": OneOf(("range",)), "options!": {"from!": _REAL, "to!": _REAL, "result!": _RESULT}},
    )
)
_THRESHOLDS = {
    "mode!": OneOf(("absolute", "percentage")),
    "steps!": ListOf({"value!": (int, float, type(None)), "color!": str}),  # null is how -Infinity is written
}
_GRAPH = {
    "drawStyle": OneOf(("line", "bars", "points")),
    "lineWidth": _REAL,
    "fillOpacity": _REAL,
    "showPoints": OneOf(("auto", "never", "always")),
    "stacking": {"mode": OneOf(("none", "normal", "percent")), "group": str},
}
_CELLS = {
    "align": OneOf(("auto", "left", "right", "center")),
    "displayMode": OneOf(("auto", "color-text", "color-background")),
}
_REDUCED = {
    "reduceOptions!": {"calcs!": ListOf(str), "values": bool, "limit": _REAL, "fields": str},
    "orientation!": OneOf(("auto", "vertical", "horizontal")),
}
_TEXT_MODE = OneOf(("auto", "value", "value_and_name", "name", "none"))
_OPTIONS: Mapping[str, Any] = {
    "stat": {
        **_REDUCED,
        "graphMode!": OneOf(("none", "line", "area")),
        "colorMode!": OneOf(("value", "background", "background_solid", "none")),
        "justifyMode!": OneOf(("auto", "center")),
        "textMode!": _TEXT_MODE,
    },
    "bargauge": {
        **_REDUCED,
        "displayMode!": OneOf(("basic", "lcd", "gradient")),
        "valueMode": OneOf(("color", "text", "hidden")),
        "showUnfilled!": bool,
        "minVizWidth!": Number(),
        "minVizHeight!": Number(),
    },
    "timeseries": {
        "legend!": {
            "displayMode!": OneOf(("list", "table", "hidden")),
            "placement!": OneOf(("bottom", "right")),
            "showLegend!": bool,
            "calcs!": ListOf(str),
        },
        "tooltip!": {"mode!": OneOf(("single", "multi", "none")), "sort!": OneOf(("asc", "desc", "none"))},
    },
    "table": {"showHeader!": bool},
}
_CUSTOM: Mapping[str, Any] = {"timeseries": _GRAPH, "table": _CELLS, "stat": {}, "bargauge": {}}


def _panel(kind: str) -> Mapping[str, Any]:
    colors = OneOf(("thresholds", "palette-classic", "palette-saturated", "continuous-GrYlRd", "fixed"))
    defaults = {
        "unit": str,
        "decimals": _REAL,
        "min": _REAL,
        "max": _REAL,
        "mappings": ListOf(_MAPPING),
        "thresholds": _THRESHOLDS,
        "color": {"mode!": colors, "fixedColor": str},
        "noValue": str,
        "custom": _CUSTOM[kind],
    }
    return {
        "type!": OneOf((kind,)),
        "id!": Number(1),
        "title!": str,
        "description": str,
        "datasource!": _SOURCE,
        "gridPos!": {"h!": Number(1), "w!": Number(1, 24), "x!": Number(0, 23), "y!": Number()},
        "targets!": ListOf(_TARGET),
        "options!": _OPTIONS[kind],
        "fieldConfig!": {"defaults!": defaults, "overrides!": ListOf({})},
        "transformations!": ListOf({"id!": str, "disabled": bool, "options!": dict}),
    }


DASHBOARD: Mapping[str, Any] = {
    "id": Number(),
    "uid!": str,
    "title!": str,
    "description": str,
    "tags": ListOf(str),
    "style!": OneOf(("light", "dark")),
    "timezone": str,
    "editable!": bool,
    "graphTooltip!": OneOf((0, 1, 2)),
    "time": {"from!": str, "to!": str},
    "refresh": Either((str, OneOf((False,)))),
    "schemaVersion!": Number(36, 2**16 - 1),
    "version": Number(),
    "links": ListOf(_LINK),
    "annotations": {"list": ListOf({})},
    "templating": {"list!": ListOf(_VARIABLE)},
    "panels!": ListOf(Either(tuple(_panel(kind) for kind in _OPTIONS))),
}
