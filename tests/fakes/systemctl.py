"""A small systemctl for tests: units are files in a folder; one may be told to fail when it starts."""

from __future__ import annotations

from pathlib import Path

_SCRIPT = """#!/bin/bash
# Each unit is a file in UNITS that holds active, inactive or failed.
folder=UNITS
verb=$1; shift
echo "$verb $*" >>"$folder/../orders"
[ "$verb" = daemon-reload ] && exit 0
code=0
for unit in "$@"; do
  case $unit in -*) continue ;; esac
  file="$folder/$unit"
  if [ ! -e "$file" ]; then
    [ "$verb" = show ] && printf 'Id=%s\\nLoadState=not-found\\nActiveState=inactive\\n\\n' "$unit" && continue
    echo "Failed to $verb $unit: Unit $unit not found." >&2; code=5; continue
  fi
  case $verb in
    show) printf 'Id=%s\\nLoadState=loaded\\nActiveState=%s\\nNRestarts=0\\n\\n' "$unit" "$(cat "$file")" ;;
    stop) echo inactive >"$file" ;;
    start)
      if [ -e "$folder/../refuses" ]; then
        echo failed >"$file"
        # A unit of Type=simple dies after systemctl has said that all is well, and only the first start is bad.
        rm "$folder/../refuses"
      else echo active >"$file"; fi ;;
  esac
done
exit $code
"""


class Units:
    """The units of one test; put `folder` first on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._units = folder / "units"
        self._units.mkdir(parents=True)
        script = folder / "systemctl"
        script.write_text(_SCRIPT.replace("UNITS", str(self._units)))
        script.chmod(0o755)

    def set(self, unit: str, state: str) -> None:
        """This unit is so."""
        (self._units / unit).write_text(f"{state}\n")

    def state(self, unit: str) -> str:
        """How a unit is."""
        return (self._units / unit).read_text().strip()

    def refuse_next_start(self) -> None:
        """The next start ends in `failed`."""
        (self.folder / "refuses").touch()

    def orders(self) -> list[str]:
        """What was asked, without the questions."""
        lines = (self.folder / "orders").read_text().splitlines() if (self.folder / "orders").exists() else []
        return [line for line in lines if not line.startswith("show ")]
