# HMS as an image: `docker build --target hms -t hms .` serves and works, `docker build --target proxy -t hms-proxy .` is nginx with the
# static files. Neither runs as root, and both run with a read-only root: what is written goes to /var/lib/hms and /tmp.

FROM python:3.13-slim-bookworm AS build
ENV PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/hms/venv
WORKDIR /opt/hms/app
COPY requirements.txt .
RUN /opt/hms/venv/bin/pip install --no-cache-dir -r requirements.txt
COPY manage.py LICENSE ./
COPY hms hms
COPY core core
COPY clinics clinics
COPY patients patients
COPY appointments appointments
COPY templates templates
COPY static static
# Collecting needs settings, but no database and no secret: these open nothing, and stay in this stage.
RUN HMS_VAR_DIR=/tmp/hms HMS_STATIC_DIR=/srv/hms/static DATABASE_URL=postgresql://hms_app@localhost/hms SECRET_KEY=only-for-collecting-static-files \
    /opt/hms/venv/bin/python manage.py collectstatic --noinput -v0 \
    && /opt/hms/venv/bin/python -m compileall -q -j 0 /opt/hms/app /opt/hms/venv/lib

FROM python:3.13-slim-bookworm AS hms
RUN groupadd --gid 10001 hms && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hms \
    && install -d -o hms -g hms -m 0750 /var/lib/hms
COPY --from=build /opt/hms /opt/hms
COPY --from=build /srv/hms/static /srv/hms/static
ENV PATH=/opt/hms/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HMS_VAR_DIR=/var/lib/hms HMS_STATIC_DIR=/srv/hms/static HMS_BIND=0.0.0.0 PORT=8000
WORKDIR /opt/hms/app
USER 10001:10001
VOLUME /var/lib/hms
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
CMD ["gunicorn", "-c", "hms/gunicorn.conf.py", "hms.asgi:application"]

FROM nginxinc/nginx-unprivileged:1.28-bookworm AS proxy
COPY --chown=root:root deploy/nginx/ /etc/nginx/
COPY --from=build --chown=root:root /srv/hms/static /srv/hms/static
USER 101:101
EXPOSE 80 443
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
