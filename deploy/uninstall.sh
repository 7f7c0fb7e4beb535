#!/bin/sh
# Removes coloc-agent from a server: units, venv, command. Configuration, secrets and history stay unless --purge is given.
# It never touches the backup hosts: their archives stay, and the passphrase that opens them is yours to keep.
#
# DESTDIR: remove what `DESTDIR=… install.sh` laid out; then systemd is not called.
set -eu

root=${DESTDIR:-}
home=$root/opt/coloc-agent
link=$root/usr/local/bin/coloc-agent

fail() {
  echo "coloc-agent: $1" >&2
  exit 1
}

purge=""
case "${1:-}" in
  "") ;;
  --purge) purge=yes ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) fail "unknown option $1; usage: $0 [--purge]" ;;
esac
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "this needs root; run: sudo $0 $*"

# First everything outside our own folders is as it was without us: nobody could take it back afterwards.
for undo in "$(dirname "$0")/undo.sh" "$home/share/undo.sh"; do
  if [ -f "$undo" ]; then
    DESTDIR=$root sh "$undo" || fail "something of the agent is left outside its own folders; mend that first"
    break
  fi
done
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
  systemctl disable --now coloc-agent.service coloc-agent-backup.path 2>/dev/null || true
  systemctl disable --now coloc-agent-quota.timer coloc-agent-drill.timer coloc-agent-replaced.timer 2>/dev/null || true
  systemctl stop coloc-agent-drill.service 2>/dev/null || true
  systemctl disable --now coloc-agent-helper.socket coloc-agent-agree.path 2>/dev/null || true
  systemctl disable --now coloc-agent-exits.socket coloc-agent-exits.service 2>/dev/null || true
  # A nightly run that is under way is asked to end; Borg saves what it has sent.
  systemctl stop coloc-agent-backup.service 2>/dev/null || true
fi
# The daemon's own accounts on the database servers; anything else there is left alone.
if [ -z "$root" ] && [ -x "$home/bin/coloc-agent" ]; then
  "$home/bin/coloc-agent" database-accounts remove || echo "Later, by hand: the account coloc-agent on the database servers." >&2
fi
for unit in coloc-agent.service coloc-agent-backup.service coloc-agent-backup.path \
  coloc-agent-quota.service coloc-agent-quota.timer \
  coloc-agent-drill.service coloc-agent-drill.timer \
  coloc-agent-helper.socket coloc-agent-helper@.service coloc-agent-agree.path coloc-agent-agree.service \
  coloc-agent-replaced.service coloc-agent-replaced.timer \
  coloc-agent-exits.socket coloc-agent-exits.service; do
  rm -f "$root/etc/systemd/system/$unit"
done
rm -f "$root/etc/systemd/system/coloc-agent-backup.service.d/50-yunohost.conf"
rmdir "$root/etc/systemd/system/coloc-agent-backup.service.d" 2>/dev/null || true
# Our hooks in YunoHost: its upgrades go on without us.
rm -f "$root"/etc/yunohost/hooks.d/*/50-coloc_agent_hook1
rm -f "$root/etc/sysusers.d/coloc-agent.conf" "$root/etc/tmpfiles.d/coloc-agent.conf"
if [ "$(readlink "$link" || true)" = "/opt/coloc-agent/bin/coloc-agent" ]; then rm -f "$link"; fi
# Only what the installer made: a venv that holds our command.
if [ -x "$home/bin/coloc-agent" ] && [ -e "$home/pyvenv.cfg" ]; then rm -rf "$home"; fi
rm -rf "$root/run/coloc-agent" "$root/run/coloc-agent-quota" "$root/run/coloc-agent-exits" "$root/run/coloc-agent-helper"
if [ -z "$root" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

if [ -n "$purge" ]; then
  rm -rf "$root/etc/coloc-agent" "$root/var/lib/coloc-agent" "$root/var/lib/coloc-agent-facts" "$root/var/lib/coloc-agent-root" "$root/var/lib/coloc-agent-helper"
  echo "coloc-agent is gone, with its configuration, secrets and history. The account coloc-agent stays (userdel coloc-agent)."
else
  echo "coloc-agent is gone. These stay (remove them with --purge): /etc/coloc-agent /var/lib/coloc-agent*"
fi
echo "Archives on the backup hosts were not touched: keep the passphrase that opens them."
