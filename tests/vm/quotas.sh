#!/bin/bash
# Shows on a whole machine what no fake can: the kernel holds what was agreed, gives it back, and shares what is wanted twice.
#
# Run it as root on a THROWAWAY Debian 12 with systemd, cgroup v2, MariaDB, postfix, php8.2-fpm and quotas on /, where
# deploy/install.sh has run and there is no coloc.yml: it makes users, databases and apps. deploy/ lies two folders above.
set -euo pipefail
export LC_ALL=C.UTF-8
deploy=$(cd "$(dirname "$0")/../.." && pwd)/deploy
yml=/etc/coloc-agent/coloc.yml
velo='/sys/fs/cgroup/coloc.slice/coloc-velo\x2dclub.slice'
chorale=/sys/fs/cgroup/coloc.slice/coloc-chorale.slice

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }
ok() { printf 'ok: %s\n' "$1"; }
fail() { printf 'FAILED: %s\n' "$1"; journalctl -q --no-pager -n 40 -t coloc-agent-helper -u coloc-agent || true; exit 1; }
is() { [ "$2" = "$3" ] && ok "$1: $3" || fail "$1: $3, not $2"; }
until_() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 1; done; }
as_hog() { setpriv --reuid=hog --regid=hog --clear-groups "$@"; }
# What the daemon would ask, one request: verb, then its arguments.
ask() {
  /opt/coloc-agent/bin/python -I -c '
import sys
from coloc.helper_client import HelperClient
from coloc.verbs import VERBS, Ask
verb, *rest = sys.argv[1:]
rest += [1.0] if verb == "hold" else []
answer = HelperClient()(Ask(verb, **dict(zip(VERBS[verb], rest))))
print(answer.why or "done")' "$@"
}
used() { awk '/^usage_usec/ {print $2}' "$1/cpu.stat"; }

[ "$(id -u)" -eq 0 ] && [ -d /run/systemd/system ] && [ -x /opt/coloc-agent/bin/coloc-agent ] || { echo "as root, where the agent is installed"; exit 2; }

step "two projects, an app each"
for app in hog quiet; do
  id $app >/dev/null 2>&1 || useradd --system --create-home --home /srv/$app $app
  # As many busy loops as there are processors: both want all of the machine.
  printf '[Service]\nUser=%s\nExecStart=/bin/sh -c '\''for i in $(seq %s); do (while :; do :; done) & done; wait'\''\n' \
    $app "$(nproc)" > /etc/systemd/system/$app.service
done
systemctl daemon-reload
mariadb -e "CREATE DATABASE IF NOT EXISTS hogdb; CREATE TABLE IF NOT EXISTS hogdb.t (a INT); GRANT ALL ON hogdb.* TO hog@localhost IDENTIFIED BY 'x'"
grants=$(mariadb -Nse "SHOW GRANTS FOR hog@localhost")
mkdir -p /etc/coloc-agent
write_config() {
  cat > $yml <<END
coloc: {name: machine, language: en}
stage: $1
startup_quiet: 0s
${2:-}
projects:
  velo-club:
    share: 3
    quotas: {cpu: 0.3, memory: 100M, disk: 50M, database: 1M, processes: 50, io: 1M, mail_per_hour: 5, grace: 0s, allow: hard}
    ${3:-}
  chorale: {quotas: {cpu: 2}}
apps:
  hog: {shared_by: {velo-club: 1}, folders: [/srv/hog], user: hog, units: [hog.service], databases: [{kind: mysql, name: hogdb}]}
  quiet: {shared_by: {chorale: 1}, folders: [/srv/quiet], user: quiet, units: [quiet.service]}
END
  chgrp coloc-agent $yml; chmod 640 $yml
}

step "without being asked nothing is done"
write_config alert
is "agreeing on nothing" "nothing to change" "$(coloc-agent quota agree)"
is "traces" "nothing outside the agent's own folders" "$(coloc-agent traces)"

step "agreed: slices are laid out, nobody is restarted"
systemctl start hog quiet
write_config enforce "enforce: {slices: true, simulate_for: 0s}" "enforce: [cpu, memory, disk, database, processes, io, mail_per_hour]"
coloc-agent quota agree
is "an app that runs stays where it is" /system.slice/hog.service "$(systemctl show -P ControlGroup hog)"
systemctl restart hog quiet
is "and moves at its next start" '/coloc.slice/coloc-velo\x2dclub.slice/coloc-velo\x2dclub-hog.slice/hog.service' "$(systemctl show -P ControlGroup hog)"

step "each gets its share while both want all: 3 to 1, within 10 points, median of three"
for _ in 1 2 3; do
  a=$(used "$velo") b=$(used $chorale); sleep 5
  echo $((100 * ($(used "$velo") - a) / ($(used "$velo") - a + $(used $chorale) - b)))
done | sort -n | sed -n 2p > /tmp/share
[ "$(cat /tmp/share)" -ge 65 ] && [ "$(cat /tmp/share)" -le 85 ] && ok "$(cat /tmp/share) % for a share of 75 %" || fail "$(cat /tmp/share) % for a share of 75 %"
systemctl stop quiet

step "processor: held at 0.3 of a core, by the kernel's file and by effect"
is "hold" done "$(ask hold velo-club '' cpu throttle)"
is "cpu.max" "30000 100000" "$(cat "$velo/cpu.max")"
a=$(used "$velo"); sleep 10; cores=$((($(used "$velo") - a) / 100000))
[ $cores -ge 27 ] && [ $cores -le 33 ] && ok "0.$cores of a core" || fail "0.$cores of a core"
is "release" done "$(ask release velo-club '' cpu)"
is "cpu.max" "max 100000" "$(cat "$velo/cpu.max")"

step "memory, processes, reading and writing"
for resource in memory processes io; do is "hold $resource" done "$(ask hold velo-club '' $resource throttle)"; done
is "memory.high" 99999744 "$(cat "$velo/memory.high")"
is "pids.max" 50 "$(cat "$velo/pids.max")"
grep -q "rbps=1000000 wbps=1000000" "$velo/io.max" && ok io.max || fail "io.max: $(cat "$velo/io.max")"
ask hold velo-club '' memory hard | grep -q "a human has not confirmed it" && ok "hard waits for a human" || fail "hard without a human"
coloc-agent quota confirm velo-club memory --step hard
is "hold memory hard" done "$(ask hold velo-club '' memory hard)"
[ "$(cat "$velo/memory.max")" -ge 100000000 ] && ok "memory.max $(cat "$velo/memory.max")" || fail "memory.max"

step "disk: no more is written, deleting stays"
is "hold" done "$(ask hold velo-club '' disk throttle)"
coloc-agent quota confirm velo-club disk --step hard
is "hold hard" done "$(ask hold velo-club '' disk hard)"
! as_hog dd if=/dev/zero of=/srv/hog/big bs=1M count=20 2>/dev/null && as_hog rm /srv/hog/big && ok "20 MB were not" || fail "20 MB were written"

step "databases: no more writing, deleting stays"
coloc-agent quota confirm velo-club database
is "hold" done "$(ask hold velo-club '' database throttle)"
coloc-agent quota confirm velo-club database
is "hold hard" done "$(ask hold velo-club '' database hard)"
! mariadb -u hog -px hogdb -e "INSERT INTO t VALUES (1)" 2>/dev/null && mariadb -u hog -px hogdb -e "DELETE FROM t" && ok "no INSERT" || fail "INSERT"

step "mail: held, never refused"
is "hold" done "$(ask hold velo-club '' mail_per_hour throttle)"
for i in 1 2 3; do echo x | as_hog /usr/sbin/sendmail root@localhost; done
until_ 60 sh -c 'test "$(mailq | grep -c "^[0-9A-Za-z]*!")" = 3' && ok "three are held" || fail "$(mailq)"

step "php workers are moved, a reload of php-fpm undoes it, the next look moves them again"
printf '[hog]\nuser = hog\ngroup = hog\nlisten = /run/php/hog.sock\npm = static\npm.max_children = 3\n' > /etc/php/8.2/fpm/pool.d/hog.conf
workers() { ps -o cgroup:120= -u hog -C php-fpm8.2 | grep -c 'coloc-velo.*php[0-9]*\.scope' || true; }
systemctl restart php8.2-fpm; sleep 2
is "move" done "$(ask move velo-club)"; is "workers inside" 3 "$(workers)"
systemctl reload php8.2-fpm; sleep 2
is "move" done "$(ask move velo-club)"; is "workers inside" 3 "$(workers)"

step "everything is taken back: by plain sh, with all memory lost"
rm -r /var/lib/coloc-agent-helper
sh "$deploy/undo.sh"
is "traces" "nothing outside the agent's own folders" "$(coloc-agent traces)"
is "cpu.max" "max 100000" "$(cat "$velo/cpu.max")"
is "memory" "max max" "$(cat "$velo/memory.high" "$velo/memory.max" | xargs)"
is "pids.max" max "$(cat "$velo/pids.max")"
is "grants" "$grants" "$(mariadb -Nse "SHOW GRANTS FOR hog@localhost")"
as_hog dd if=/dev/zero of=/srv/hog/big bs=1M count=20 2>/dev/null && ok "20 MB are written" || fail "still bounded"
postqueue -f; until_ 60 sh -c 'mailq | grep -q "queue is empty"' && ok "the three mails went out" || fail "$(mailq)"
systemctl restart hog
is "back among the others" /system.slice/hog.service "$(systemctl show -P ControlGroup hog)"

step "the daemon by itself: it slows who takes too much, and takes over what is held after a kill"
coloc-agent quota agree >/dev/null; systemctl restart hog
systemctl start coloc-agent
held() { [ "$(cat "$velo/cpu.max")" = "30000 100000" ]; }
until_ 180 held && ok "held by itself" || fail "not held: $(coloc-agent quota)"
systemctl kill --signal=KILL coloc-agent
until_ 120 sh -c 'coloc-agent quota | grep -q "cpu.max: 30000 100000"' && ok "a daemon that was killed shows it again" || fail "$(coloc-agent quota)"
systemctl stop hog coloc-agent
coloc-agent quota undo --all >/dev/null
is "traces" "nothing outside the agent's own folders" "$(coloc-agent traces)"
printf '\nall of it, in %s s\n' "$SECONDS"
