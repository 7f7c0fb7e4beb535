"""Certificates as openssl makes them: an authority, a server's, and clients'."""

from __future__ import annotations

from pathlib import Path

from coloc.command import run


class Pki:
    """A folder with ca.pem, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.pem"
        self._openssl("req", "-x509", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem", *_NEW_KEY)

    def sign(self, name: str, alternative: str, *, days: int = 30) -> tuple[Path, Path]:
        """NAME.pem and NAME.key, for such as `DNS:localhost,IP:127.0.0.1`."""
        self._openssl("req", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr", *_NEW_KEY)
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
        request = ("-in", f"{name}.csr", "-extfile", f"{name}.ext", "-out", f"{name}.pem", "-days", str(days))
        self._openssl("x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", *request)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _openssl(self, *argv: str) -> None:
        run(["openssl", *argv], timeout=60, cwd=self.folder)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
