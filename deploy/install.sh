#!/bin/sh
# Installs coloc-agent on a server, from this checkout or from a wheel: `deploy/install.sh [WHEEL]`, as root. Run it again
# to upgrade: configuration, secrets and data stay. It starts nothing before there is a coloc.yml.
#
# PYTHON: the interpreter to use (default python3, at least 3.11). DESTDIR: install below another root, to look at what it
# does; then no account is made and systemd is not called.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(dirname "$here")
root=${DESTDIR:-}
home=$root/opt/coloc-agent
units=$root/etc/systemd/system
link=$root/usr/local/bin/coloc-agent
python=${PYTHON:-python3}

fail() {
  echo "coloc-agent: $1" >&2
  exit 1
}

case "${1:-}" in
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
  -*) fail "unknown option $1; usage: $0 [WHEEL]" ;;
esac
source=${1:-$checkout}
[ -e "$source" ] || fail "$source does not exist; usage: $0 [WHEEL]"
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "this needs root; run: sudo $0 $*"
if [ -e "$link" ] || [ -L "$link" ]; then
  [ "$(readlink "$link" || true)" = "/opt/coloc-agent/bin/coloc-agent" ] ||
    fail "$link is something else's; move it away, then try again"
fi

# 1. What it is built with, and a venv of its own.
[ -n "$root" ] || sh "$here/prepare.sh" agent
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "Python 3.11 or newer is needed; name one: PYTHON=/usr/bin/python3.12 $0"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$root/opt"
[ -x "$home/bin/python" ] || "$python" -m venv "$home"
pip() { "$home/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
case "$source" in
  *.whl) wheel=$source ;;
  *)
    pip wheel --no-deps --wheel-dir "$work" "$source"
    wheel=$(find "$work" -name 'coloc_agent-*.whl')
    [ -n "$wheel" ] || fail "no wheel came out of $source; is it a checkout of coloc-agent?"
    ;;
esac
pip install --upgrade "$wheel"
# The same version may hold newer code: install it in any case.
pip install --force-reinstall --no-deps "$wheel"

# 2. Account, folders, units. What was there before is replaced: changes belong into `systemctl edit`.
mkdir -p "$units" "$root/etc/sysusers.d" "$root/etc/tmpfiles.d" "$root/usr/local/bin" "$home/share/doc"
install -m 644 "$here/systemd/coloc-agent.sysusers.conf" "$root/etc/sysusers.d/coloc-agent.conf"
install -m 644 "$here/systemd/coloc-agent.tmpfiles.conf" "$root/etc/tmpfiles.d/coloc-agent.conf"
for unit in coloc-agent.service coloc-agent-backup.service coloc-agent-backup.path \
  coloc-agent-quota.service coloc-agent-quota.timer \
  coloc-agent-drill.service coloc-agent-drill.timer \
  coloc-agent-helper.socket coloc-agent-helper@.service coloc-agent-agree.path coloc-agent-agree.service \
  coloc-agent-replaced.service coloc-agent-replaced.timer \
  coloc-agent-exits.socket coloc-agent-exits.service; do
  install -m 644 "$here/systemd/$unit" "$units/$unit"
done
# Under YunoHost each app's own script, run as root, decides what is backed up: the unit's walls would be in its way.
if [ -e "$root/etc/yunohost/installed" ]; then
  mkdir -p "$units/coloc-agent-backup.service.d"
  install -m 644 "$here/systemd/coloc-agent-backup.yunohost.conf" "$units/coloc-agent-backup.service.d/50-yunohost.conf"
else
  rm -f "$units/coloc-agent-backup.service.d/50-yunohost.conf"
fi
ln -sfn /opt/coloc-agent/bin/coloc-agent "$link"
# So that the page for 3 a.m. is on the server itself.
cp -R "$checkout/README.md" "$checkout/docs" "$home/share/doc/"
# For `coloc-agent uninstall`, and for the day when only the traces remain.
install -m 755 "$here/uninstall.sh" "$here/undo.sh" "$home/share/"
if [ -n "$root" ]; then
  echo "coloc-agent is laid out below $root"
  exit 0
fi
systemd-sysusers /etc/sysusers.d/coloc-agent.conf
systemd-tmpfiles --create /etc/tmpfiles.d/coloc-agent.conf

# 3. systemd, when it runs.
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart coloc-agent.service
  systemctl try-restart coloc-agent-exits.service
fi
# Our hooks in YunoHost; each nightly run writes them as well.
if [ -e /etc/yunohost/installed ] && [ -e /etc/coloc-agent/coloc.yml ]; then
  "$home/bin/coloc-agent" backup hooks || echo "Later: coloc-agent backup hooks" >&2
fi
echo "coloc-agent is installed: $("$home/bin/coloc-agent" --version)"
if [ ! -e /etc/coloc-agent/coloc.yml ]; then
  echo "Next:"
  echo "  coloc-agent init                       # writes /etc/coloc-agent/coloc.yml for this server: read it"
  echo "  coloc-agent check                      # tries everything that it names"
  echo "  systemctl enable --now coloc-agent     # begins to observe; http://127.0.0.1:9942/"
fi
