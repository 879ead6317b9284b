"""How gunicorn serves HMS: `gunicorn -c hms/gunicorn.conf.py hms.asgi:application`."""

import os

bind = f"{os.environ.get('HMS_BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "asgi"
raw_env = ["HMS_PROCESS=web"]
graceful_timeout = 30
timeout = 60
accesslog = None  # paths may carry search terms; nothing of ours logs them
errorlog = "-"
loglevel = os.environ.get("LOG_LEVEL", "info").lower()
