#!/bin/sh
# Takes back everything that coloc-agent changed outside its own folders, on a machine where only the traces remain: plain
# sh, no Python, no configuration. `sh undo.sh` as root. The same as `coloc-agent quota undo --all`; again is harmless.
#
# DESTDIR: look below another root; then systemd is not called, and a database server only with SERVERS=yes.
# MARIADB_OPTIONS, PG_ACCOUNT, PGHOST, PGPORT, PGUSER: where the servers are, when they are not at their usual places.
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
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
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

# 3. Accounts on the database servers: what was is written into the servers themselves.
as_server() {
  if [ "$(id -u)" -eq 0 ]; then runuser -u "${PG_ACCOUNT:-postgres}" -- "$@"; else "$@"; fi
}
# The options are several words on purpose.
# shellcheck disable=SC2086
ask_mariadb() { mariadb ${MARIADB_OPTIONS:-} --batch --skip-column-names --raw; }
ask_postgresql() { (cd / && as_server psql --no-psqlrc --quiet --no-password --no-align --tuples-only --dbname=postgres); }

if [ -z "$root" ] || [ "${SERVERS:-}" = yes ]; then
  if command -v mariadb >/dev/null; then
    if orders=$(ask_mariadb <<'END'
SELECT CONCAT('ALTER USER ', QUOTE(User), '@', QUOTE(Host), ' WITH MAX_USER_CONNECTIONS 0;')
  FROM mysql.roles_mapping WHERE Role = 'coloc_agent_slowed' AND Admin_option = 'N'
UNION ALL SELECT CONCAT('REVOKE coloc_agent_slowed FROM ', QUOTE(User), '@', QUOTE(Host), ';')
  FROM mysql.roles_mapping WHERE Role = 'coloc_agent_slowed' AND Admin_option = 'N'
UNION ALL SELECT CONCAT('GRANT ', SUBSTRING(CONCAT(IF(r.Insert_priv = 'Y', ', INSERT', ''), IF(r.Create_priv = 'Y', ', CREATE', ''),
  IF(r.Update_priv = 'Y', ', UPDATE', ''), IF(r.Alter_priv = 'Y', ', ALTER', ''), IF(r.Index_priv = 'Y', ', INDEX', '')), 3),
  ' ON `', REPLACE(r.Db, '`', '``'), '`.* TO ', QUOTE(d.User), '@', QUOTE(d.Host), ';')
  FROM mysql.db r JOIN mysql.db d ON d.Db = r.Db AND d.User <> r.User WHERE r.User = 'coloc_agent_writes'
UNION ALL SELECT CONCAT('DROP ROLE `', User, '`;') FROM mysql.user
  WHERE is_role = 'Y' AND User IN ('coloc_agent_slowed', 'coloc_agent_writes');
END
    ); then
      if [ -n "$orders" ]; then
        printf '%s\n' "$orders" | ask_mariadb && printf '%s\n' "$orders" || failed=yes
      fi
    else
      echo "MariaDB does not answer: what may be there was not looked at. Start it and run this again."
    fi
  fi
  if command -v psql >/dev/null; then
    if orders=$(ask_postgresql <<'END'
SELECT format('ALTER ROLE %I CONNECTION LIMIT %s; ALTER ROLE %I RESET coloc_agent.before;', rolname, before, rolname)
  FROM (SELECT r.rolname, split_part(s, '=', 2) AS before
  FROM pg_db_role_setting g JOIN pg_roles r ON r.oid = g.setrole, unnest(g.setconfig) s
  WHERE g.setdatabase = 0 AND s LIKE 'coloc\_agent.before=%') x WHERE before ~ '^-?[0-9]{1,9}$';
END
    ); then
      if [ -n "$orders" ]; then
        printf '%s\n' "$orders" | ask_postgresql && printf '%s\n' "$orders" || failed=yes
      fi
    else
      echo "PostgreSQL does not answer: what may be there was not looked at. Start it and run this again."
    fi
  fi
fi

# 4. What users may still write: limits that end in our digits.
if [ -z "$root" ]; then
  awk '$1 ~ /^\/dev\// && !seen[$1]++ {print $2}' /proc/self/mounts | while read -r place; do
    command -v repquota >/dev/null && command -v setquota >/dev/null || break
    repquota -un "$place" 2>/dev/null | awk '
      /^#[0-9]/ {
        sub(/^#/, "", $1)
        blocks = ($4 % 4096 == 1733 && $5 % 4096 == 1733)
        at = ($6 ~ /^[0-9]+$/) ? 7 : 8
        files = ($(at) % 4096 == 1733 && $(at + 1) % 4096 == 1733)
        if (blocks || files) print $1
      }' | while read -r user; do
      setquota -u "$user" 0 0 0 0 "$place" && echo "$place: user $user may write again"
    done
  done
fi

# 5. Mail: postfix forgets our list, then what it held goes, then the list does.
list=/etc/postfix/coloc_agent_hold
hook=$root/etc/yunohost/hooks.d/conf_regen/95-postfix
if [ -f "$hook" ] && grep -qxF "$mark" "$hook"; then
  rm -f "$hook"
  echo "$hook: removed"
  if [ -z "$root" ] && command -v yunohost >/dev/null; then yunohost tools regen-conf postfix || true; fi
fi
if { [ -z "$root" ] || [ "${SERVERS:-}" = yes ]; } && [ -f "$list" ] && [ "$(head -n 1 "$list")" = "$mark" ]; then
  users=$(sed -n 's/.*from userid \([0-9]*\).*/\1/p' "$list" | sort -u | paste -s -d '|' -)
  if command -v postconf >/dev/null; then
    tables=$(postconf -h header_checks | tr ', ' '\n\n' | grep -v -e "^regexp:$list\$" -e '^$' | paste -s -d ',' - || true)
    if [ -n "$tables" ]; then postconf -e "header_checks=$tables"; else postconf -X header_checks; fi
    postfix reload 2>/dev/null || true
    if [ -n "$users" ]; then
      postqueue -p | sed -n 's/^\([0-9A-Za-z]*\)!.*/\1/p' | while read -r mail; do
        if postcat -qh "$mail" | grep -Eq "from userid ($users)\)"; then postsuper -H "$mail"; fi
      done
    fi
  fi
  rm -f "$list"
  echo "$list: removed"
fi

[ -z "$failed" ] || fail "something is left: see above"
rm -f "$root/var/lib/coloc-agent-helper/held.json"
echo "coloc-agent: nothing of it is left outside its own folders"
