"""May an app send mail through YunoHost's own server, and as whom?"""

from __future__ import annotations

from coloc.inventory.settings import Settings


def sender_of(app: str, settings: Settings) -> str | None:
    """The address that postfix lets the app use; None without the right, which is a password and a domain."""
    domain = settings.domain()
    if not settings.has("mail_pwd") or domain is None:
        return None
    return f"{settings.text('mail_user') or app}@{settings.domain('mail_domain') or domain}"
