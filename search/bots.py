"""Who is no user: known crawlers and monitors, by the words of their user agent."""

from __future__ import annotations

from typing import Final

BOT_WORDS: Final = (
    "bot", "crawl", "spider", "slurp", "preview", "monitor", "headless", "facebookexternalhit", "archiver", "scrapy",
    "uptime", "pingdom", "feedfetcher", "lighthouse",
)  # fmt: skip
_NO_BOTS: Final = ("cubot",)
"""Makes of telephones that have such a word in their name."""


def is_bot(user_agent: str) -> bool:
    """Whether a user agent names a known kind of bot; an empty one does not.

    Examples
    --------
    >>> is_bot("Mozilla/5.0 (compatible; Googlebot/2.1)"), is_bot("Mozilla/5.0 (Linux; Android 9; CUBOT X19)")
    (True, False)
    """
    said = user_agent.lower()
    for name in _NO_BOTS:
        said = said.replace(name, "")
    return any(word in said for word in BOT_WORDS)
