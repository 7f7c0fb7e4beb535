#!/bin/sh
# Installs the Debian packages that a step needs: `prepare.sh agent` to run, `prepare.sh test` to test, `prepare.sh full`
# for `make run FULL=1`, `prepare.sh bench` for what `make bench` compares with, `prepare.sh screenshots` for `make
# screenshots`. Does nothing when they are there; says one clear sentence when it is not allowed to install.
set -eu

AGENT="python3-venv python3-dev gcc pkg-config libacl1-dev libssl-dev liblz4-dev libzstd-dev libxxhash-dev openssh-client openssl age"
TEST="$AGENT systemd dbus-daemon openssh-server mariadb-server postgresql redis-server prometheus prometheus-alertmanager sqlite3 acl util-linux php-fpm nginx curl borgbackup postfix cron libfaketime"
# The page is tried in a browser, and judged there by axe-core, which comes from npm; any npm will do.
TEST="$TEST chromium fonts-dejavu-core"
command -v npm >/dev/null || TEST="$TEST npm"
FULL="$AGENT prometheus"
BENCH="restic prometheus-process-exporter prometheus-node-exporter mtail"

case "${1:-agent}" in
  agent) wanted=$AGENT ;;
  test) wanted=$TEST ;;
  full) wanted=$FULL ;;
  bench) wanted=$BENCH ;;
  screenshots) wanted=pngquant ;;
  *) echo "usage: $0 agent|test|full|bench|screenshots" >&2; exit 2 ;;
esac

missing=""
for package in $wanted; do
  dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "These programs or libraries are needed:$missing. Install them with your system's package manager, then try again." >&2
  exit 1
fi
if [ "$(id -u)" -eq 0 ]; then as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo"
elif command -v sudo >/dev/null && [ -t 0 ]; then as_root="sudo"
else
  echo "These Debian packages are needed:$missing. Ask an administrator: apt-get install$missing" >&2
  exit 1
fi

echo "Installing Debian packages:$missing"
# Servers that come with packages must not start by themselves: tests start their own, on their own ports.
policy=/usr/sbin/policy-rc.d
made_policy=""
if [ "${1:-agent}" != agent ] && [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
  made_policy=yes
fi
status=0
{ $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } \
  >/tmp/coloc-prepare.$$ 2>&1 || status=$?
[ -z "$made_policy" ] || $as_root rm -f "$policy"
if [ "$status" -ne 0 ]; then
  tail -n 20 /tmp/coloc-prepare.$$ >&2
  echo "The packages could not be installed:$missing. Mend what apt says above, then try again." >&2
fi
rm -f /tmp/coloc-prepare.$$
exit "$status"
