#!/bin/sh
# Takes back everything that coloc-agent changed outside its own folders, on a machine where only the traces remain: plain
# sh, no Python, no configuration. `sh undo.sh` as root. The same as `coloc-agent quota undo --all`; again is harmless.
#
# DESTDIR: look below another root; then neither systemd nor any server is called.
set -eu

root=${DESTDIR:-}
units=$root/etc/systemd/system
runtime=$root/run/systemd/system.control
mark='# Written by coloc-agent; `coloc-agent quota undo --all` takes it away.'
failed=""

fail() {
  echo "coloc-agent: $1" >&2
  exit 1
}

case "${1:-}" in
  "") ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) fail "unknown option $1; usage: $0" ;;
esac
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "this needs root; run: sudo sh $0"
live=""
if [ -z "$root" ] && [ -d /run/systemd/system ]; then live=yes; fi

# The daemon would have it done again.
if [ -n "$live" ]; then
  systemctl disable --now coloc-agent-agree.path coloc-agent-helper.socket 2>/dev/null || true
fi
rm -f "$root/var/lib/coloc-agent-helper/agreed.json"

# 1. What holds until the next start of the machine.
for folder in "$runtime"/coloc.slice.d "$runtime"/coloc-*.slice.d; do
  [ -d "$folder" ] && [ ! -L "$folder" ] || continue
  name=$(basename "$folder" .d)
  if [ -n "$live" ]; then
    systemctl set-property --runtime -- "$name" CPUQuota= MemoryHigh= MemoryMax= TasksMax= \
      IOReadBandwidthMax= IOWriteBandwidthMax= 2>/dev/null || true
  fi
  rm -rf "$folder"
  echo "$folder: removed"
done

# 2. Slices, and what starts units in them. Only files that begin with our mark.
for file in "$units"/coloc.slice "$units"/coloc-*.slice "$units"/*.d/50-coloc-agent.conf; do
  [ -f "$file" ] && [ ! -L "$file" ] || continue
  [ "$(head -n 1 "$file")" = "$mark" ] || continue
  rm -f "$file"
  echo "$file: removed"
  case "$file" in */50-coloc-agent.conf) rmdir "$(dirname "$file")" 2>/dev/null || true ;; esac
done
if [ -n "$live" ]; then systemctl daemon-reload; fi

rm -f "$root/var/lib/coloc-agent-helper/held.json"
[ -z "$failed" ] || fail "something is left: see above"
echo "coloc-agent: nothing of it is left outside its own folders"
