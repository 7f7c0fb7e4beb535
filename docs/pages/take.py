"""Takes the screenshots of this folder from a made-up colocation in a real Chromium: `make screenshots`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agent.page.routes import Shelf, page_routes
from agent.web import Web
from tests.fakes.chromium import chromium
from tests.fakes.page_scene import past, scene

PAGES = {
    "now": "/",
    "projects": "/projects",
    "project": "/projects/velo",
    "apps": "/apps",
    "app": "/apps/nextcloud",
    "backups": "/backups",
    "maintenance": "/maintenance",
    "charter": "/charter",
}
LOOKS = (("fr", "light", 1000, 760), ("en", "light", 1000, 760), ("fr", "dark", 390, 800))
ON_A_PHONE = {"now", "project", "backups"}
HIGHEST = 1500  # pixels: a picture of a long page shows its beginning


def main() -> None:
    """One PNG for each page and look: `now-fr.png`, `now-en.png`, `now-fr-phone.png`."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    shown = scene()
    remembered = past(shown)
    web = Web("127.0.0.1", 0, page_routes(Shelf(lambda: shown, "fr", remembered)))
    web.start()
    try:
        with chromium() as browser:
            for language, scheme, width, height in LOOKS:
                browser.reads(language, scheme)
                browser.size(width, height)
                for name, path in PAGES.items():
                    if width < 600 and name not in ON_A_PHONE:
                        continue
                    browser.open(f"{web.url}{path}")
                    look = f"{language}-phone" if width < 600 else language
                    small = ["pngquant", "--quality", "60-90", "-"]  # a third of the bytes, the same to the eye
                    picture = browser.screenshot(highest=HIGHEST)
                    picture = subprocess.run(small, input=picture, capture_output=True, check=True).stdout
                    (folder / f"{name}-{look}.png").write_bytes(picture)
    finally:
        web.stop()


if __name__ == "__main__":
    main()
