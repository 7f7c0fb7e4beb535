#!/bin/bash
# Shows on a whole machine what no test of a folder can: the units, a night under them, a restore of each kind of app.
#
# Run it as root on a THROWAWAY Debian 12 with systemd, MariaDB, PostgreSQL, nginx, php8.2-fpm and borgbackup, in a checkout:
# it makes users, databases and apps, and destroys them. Without a network: wheels in /opt/wheels (see README.md).
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "$0")/../.." && pwd)
yml=/etc/coloc-agent/coloc.yml
secrets=/etc/coloc-agent/secrets

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }
ok() { printf 'ok: %s\n' "$1"; }
fail() { printf 'FAILED: %s\n' "$1"; journalctl -q --no-pager -n 40 -u 'coloc-agent*' || true; exit 1; }
# until SECONDS COMMAND…: wait for it.
until_() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 1; done; }
metric() { curl -sf http://127.0.0.1:9942/metrics | grep -F "$1" | awk '{ sum += $NF } END { print sum + 0 }'; }
# From the page, not by the command: that reads coloc.yml, which is bad on purpose.
incidents() { curl -sf http://127.0.0.1:9942/api/v1/status | python3 -c "
import json, sys
found = [i['title'] for i in json.load(sys.stdin)['incidents'] if not i['resolved_at']]
sys.exit(not any('$1' in title for title in found))"; }

[ "$(id -u)" -eq 0 ] && [ -d /run/systemd/system ] || { echo "run it as root on a throwaway machine with systemd"; exit 2; }

step "four apps of four kinds"
for user in site forum notes page; do id $user >/dev/null 2>&1 || useradd --system --home /var/www/$user $user; done
install -d -o site -g site /var/www/site; install -d -o forum -g forum /var/www/forum
install -d -o notes -g notes /var/www/notes; install -d -o page -g page -m 750 "/var/www/page/été 2026"
echo '<?php $end = microtime(true) + ($_GET["s"] ?? 0); while (microtime(true) < $end) md5("x"); echo "site";' > /var/www/site/index.php
head -c 300000 /dev/urandom > "/var/www/page/été 2026/photo.jpg"; ln -sfn photo.jpg "/var/www/page/été 2026/lien"
head -c 100000 /dev/urandom > /var/www/forum/upload.bin
printf '[site]\nuser = site\ngroup = site\nlisten = /run/php/site.sock\nlisten.owner = www-data\npm = ondemand\npm.max_children = 4\n' \
  > /etc/php/8.2/fpm/pool.d/site.conf
printf 'server { listen 127.0.0.1:8081; root /var/www/site; location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /var/www/site/index.php; fastcgi_pass unix:/run/php/site.sock; } }\n' \
  > /etc/nginx/conf.d/site.conf
mariadb -e 'DROP DATABASE IF EXISTS site; CREATE DATABASE site; CREATE TABLE site.posts (id INT PRIMARY KEY, body TEXT CHARACTER SET utf8mb4)'
for n in $(seq 1 200); do echo "INSERT INTO site.posts VALUES ($n, 'été 🌻 $n');"; done | mariadb --default-character-set=utf8mb4 site
runuser -u postgres -- psql -q -c 'DROP DATABASE IF EXISTS forum' -c 'CREATE DATABASE forum'
runuser -u postgres -- psql -q forum -c "CREATE TABLE topics AS SELECT n AS id, 'sujet ' || n AS title FROM generate_series(1, 200) n"
cat > /var/www/notes/serve.py <<'PY'
import sqlite3, time
held = sqlite3.connect("/var/www/notes/notes.db")
held.execute("PRAGMA journal_mode=WAL")
held.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, body TEXT)")
held.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", [(n, f"note {n}") for n in range(200)])
held.commit()
while True:
    time.sleep(60)
PY
printf '[Service]\nUser=notes\nExecStart=/usr/bin/python3 /var/www/notes/serve.py\n' > /etc/systemd/system/notes.service
systemctl daemon-reload
systemctl restart php8.2-fpm nginx notes
until_ 60 curl -sf http://127.0.0.1:8081/ || fail "the site does not answer"
ok "site (php and MariaDB), forum (PostgreSQL), notes (SQLite, held open), page (files)"

step "install"
if [ -d /opt/wheels ]; then
  export PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/wheels
  printf '#!/bin/sh\n' > "$here/deploy/prepare.sh" # its packages lie in the wheels
fi
sh "$here/deploy/install.sh"
# A friend's server: this one, by ssh, with Debian's own borg 1.2.
id friend >/dev/null 2>&1 || useradd --create-home --shell /bin/sh friend
install -d -m 700 "$secrets"; install -d -o friend -m 700 /home/friend/.ssh; install -d -m 700 /mnt/disk
head -c 32 /dev/urandom | base64 > "$secrets/passphrase"; chmod 600 "$secrets/passphrase"
[ -e "$secrets/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$secrets/key"
echo "restrict,command=\"borg serve --restrict-to-path /home/friend/backup\" $(cat "$secrets/key.pub")" > /home/friend/.ssh/authorized_keys
chown friend /home/friend/.ssh/authorized_keys
sed 's/^/127.0.0.1 /' /etc/ssh/ssh_host_ed25519_key.pub > "$secrets/known_hosts"
cat > $yml <<YML
coloc: {name: machine, kind: cloud, language: en, timezone: Europe/Paris}
stage: observe
startup_quiet: 1s
channels: {console: {}}
projects: {tout: {title: Tout, apps: ["*"]}}
apps:
  site: {user: site, folders: [/var/www/site], databases: [{kind: mysql, name: site}]}
  forum: {user: forum, folders: [/var/www/forum], databases: [{kind: postgresql, name: forum}]}
  notes: {user: notes, folders: [/var/www/notes], units: [notes], databases: [{kind: sqlite, name: /var/www/notes/notes.db}]}
  page: {user: page, folders: [/var/www/page]}
backup:
  passphrase_file: $secrets/passphrase
  hosts:
    disk: {path: /mnt/disk/coloc}
    friend: {ssh: "ssh://friend@127.0.0.1/./backup", key_file: $secrets/key}
YML
chgrp coloc-agent $yml; chmod 640 $yml
coloc-agent check || fail "check finds something to mend"
systemctl enable --now coloc-agent
until_ 120 curl -sf http://127.0.0.1:9942/-/ready || fail "not ready"
[ "$(systemctl show -P ActiveState coloc-agent)" = active ] || fail "not active"
ok "ready: $(systemctl show -P StatusText coloc-agent); $(systemctl show -P User coloc-agent) in $(systemctl show -P MemoryCurrent coloc-agent) bytes"

step "php workers are their app's"
before=$(metric 'coloc_app_cpu_seconds_total{app="site"')
for _ in 1 2 3; do curl -sf 'http://127.0.0.1:8081/?s=4' & done; wait %1 %2 %3 2>/dev/null || wait
more_cpu() { python3 -c "import sys; sys.exit(not $(metric 'coloc_app_cpu_seconds_total{app="site"') - $before > 2)"; }
until_ 60 more_cpu || fail "the site's CPU was not seen: $before, $(metric 'coloc_app_cpu_seconds_total{app="site"')"
ok "site: $before → $(metric 'coloc_app_cpu_seconds_total{app="site"') CPU seconds"

step "a bad file changes nothing and is told"
cp $yml $yml.good; echo 'stagee: backup' >> $yml
systemctl reload coloc-agent || true
until_ 60 incidents coloc.yml || until_ 5 incidents configuration || fail "the bad file raised no incident"
cp $yml.good $yml; systemctl reload coloc-agent
until_ 60 eval '! incidents coloc.yml && ! incidents configuration' || fail "the mended file left the incident open"
ok "raised, and resolved"

step "a whole night, begun by the daemon through the path unit"
sed -i 's/^stage: observe/stage: backup/' $yml; systemctl reload coloc-agent
until_ 120 systemctl is-active coloc-agent-backup.service || until_ 60 eval '[ "$(systemctl show -P ExecMainStartTimestampMonotonic coloc-agent-backup)" != 0 ]' || fail "no night began"
night_over() { [ "$(systemctl show -P ActiveState coloc-agent-backup)" = inactive ] || [ "$(systemctl show -P ActiveState coloc-agent-backup)" = failed ]; }
until_ 5400 night_over || fail "the night did not end"
[ "$(systemctl show -P Result coloc-agent-backup)" = success ] || fail "the night: $(systemctl show -P Result coloc-agent-backup)"
until_ 60 eval 'journalctl -q -u coloc-agent | grep -q "8 saved and read back"' || fail "the daemon did not say that eight were saved"
ok "8 of 8 saved and read back; CPU $(systemctl show -P CPUUsageNSec coloc-agent-backup) ns"

step "killed, it comes back where it was"
pid=$(systemctl show -P MainPID coloc-agent); kill -9 "$pid"
until_ 120 eval '[ "$(systemctl show -P MainPID coloc-agent)" != 0 ] && [ "$(systemctl show -P MainPID coloc-agent)" != '"$pid"' ] && curl -sf http://127.0.0.1:9942/-/ready' || fail "it did not come back"
[ "$(coloc-agent status --json | python3 -c 'import json,sys; print(sum(b["last_proven_at"] is not None for b in json.load(sys.stdin)["backups"]))')" = 8 ] || fail "the backups are forgotten"
ok "back, with its eight backups"

step "each kind of app is destroyed and brought back"
sums() { (cd / && find var/www/$1 -type f -not -name '*-wal' -not -name '*-shm' -not -name notes.db -print0 | sort -z | xargs -0 sha256sum; find var/www/$1 -printf '%p %u %g %m %l\n' | grep -v -e '-wal' -e '-shm' | sort); }
for app in site forum notes page; do sums $app > /tmp/$app.before; done
rm -rf /var/www/site/index.php "/var/www/page/été 2026" /var/www/forum/upload.bin
mariadb site -e 'DROP TABLE posts'; runuser -u postgres -- psql -q forum -c 'DROP TABLE topics'
systemctl stop notes; rm -f /var/www/notes/notes.db*
coloc-agent restore site --from friend --yes || fail "restore site"
coloc-agent restore forum --yes || fail "restore forum"
coloc-agent restore notes --yes || fail "restore notes"
coloc-agent restore page --from friend --yes || fail "restore page"
for app in site forum page notes; do sums $app | diff /tmp/$app.before - || fail "$app is not as it was"; done
[ "$(mariadb --default-character-set=utf8mb4 -N site -e "SELECT count(*) FROM posts WHERE body = concat('été 🌻 ', id)")" = 200 ] || fail "rows of site"
[ "$(runuser -u postgres -- psql -At forum -c "SELECT count(*) FROM topics WHERE title = 'sujet ' || id")" = 200 ] || fail "rows of forum"
[ "$(python3 -c 'import sqlite3; print(sqlite3.connect("/var/www/notes/notes.db").execute("SELECT count(*) FROM notes").fetchone()[0])')" = 200 ] || fail "rows of notes"
ok "four apps, byte by byte and row by row, owners and modes"

step "a restore is taken back"
echo new > /var/www/page/new.txt
coloc-agent restore page --yes && [ ! -e /var/www/page/new.txt ] || fail "restore page"
coloc-agent restore page --undo --yes && [ -e /var/www/page/new.txt ] || fail "--undo did not bring back what was replaced"
ok "what was replaced is back"

step "it ends, and goes"
began=$SECONDS; systemctl stop coloc-agent
[ $((SECONDS - began)) -lt 20 ] && [ "$(systemctl show -P Result coloc-agent)" = success ] || fail "TERM took $((SECONDS - began)) s"
sh "$here/deploy/uninstall.sh"
[ ! -e /opt/coloc-agent ] && [ ! -e /etc/systemd/system/coloc-agent.service ] && [ -e $yml ] || fail "uninstall left or took too much"
ok "ended, uninstalled; configuration and history stay"
printf '\nall shown in %s s\n' "$SECONDS"
