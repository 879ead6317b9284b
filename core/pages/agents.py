"""What a browser or program is called by people, from what it calls itself."""

BROWSERS = (  # in this order: most say of themselves that they are several
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def agent_name(user_agent: str) -> str:
    """`Firefox, Windows`; of a program the first word it says (`curl/8.5.0`), cut to 40 characters; empty for nothing."""
    if not user_agent.startswith("Mozilla/"):
        return user_agent.partition(" ")[0][:40]
    found = [next((name for part, name in table if part in user_agent), "") for table in (BROWSERS, SYSTEMS)]
    return ", ".join(filter(None, found))
