"""The nginx drop-in that logs how long requests take, as a shell script to read and run; and the one that undoes it.

YunoHost names the log of each domain without a format, which means nginx's own `combined`, and nginx lets nobody
redefine that. So a second log is added beside it, by a file in each domain's folder, which YunoHost includes and does
not manage. It holds no address, no login and no user agent; of the path only its first three parts, to tell the app.
"""

from __future__ import annotations

_HEAD = """\
#!/bin/sh
# {what}
set -eu
conf=${{COLOC_NGINX_CONF:-/etc/nginx/conf.d}}
logs=${{COLOC_NGINX_LOGS:-/var/log/nginx}}
nginx=${{COLOC_NGINX:-nginx}}
"""
_FORMAT = r"""
map $request_uri $coloc_place {
    default "-";
    "~^(?<coloc_parts>(/[^/?\x22\s]*){1,3})" $coloc_parts;
}
log_format coloc_latency
    '- - - [-] "$request_method $coloc_place $server_protocol" $status 0 "-" "-" $request_time';
"""
_REMOVE = 'rm -f "$conf/00-coloc-latency.conf" "$conf"/*.d/coloc-latency.conf\n'
_RELOAD = "$nginx -s reload\n"


def install_script() -> str:
    """Adds it, on every domain that is there; takes it away again when nginx does not like it."""
    head = _HEAD.format(
        what="Let nginx log how long requests take, for coloc-agent. Once more after a new domain; away with --undo."
    )
    return (
        head
        + "cat >\"$conf/00-coloc-latency.conf\" <<'END'"
        + _FORMAT
        + "END\n"
        + 'for folder in "$conf"/*.d; do\n'
        + '    domain=$(basename "$folder" .d)\n'
        + '    grep -qs "access_log .*/$domain-access.log" "$conf/$domain.conf" || continue\n'
        + '    echo "access_log $logs/$domain-latency.log coloc_latency;" >"$folder/coloc-latency.conf"\n'
        + "done\n"
        + f"if ! $nginx -t; then\n    {_REMOVE}    exit 1\nfi\n"
        + _RELOAD
    )


def undo_script() -> str:
    """Takes it away, with what it logged."""
    head = _HEAD.format(what="Take away what coloc-agent web-latency added to nginx.")
    return f'{head}{_REMOVE}$nginx -t\n{_RELOAD}rm -f "$logs"/*-latency.log "$logs"/*-latency.log.*\n'
