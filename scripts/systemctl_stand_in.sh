#!/bin/bash
# For scripts/try_installing.sh alone: starts and ends what units say in a folder where no init system runs.
set -eu
log=/var/log/walk

of() { sed -n "s|^$2=||p" "/etc/systemd/system/$1" | sed 's|^-||'; }  # a unit's values under a name

start_unit() {  # one of ours: user, folder, environment and command as its file says
    set -a
    for file in $(of "$1" EnvironmentFile); do [ ! -r "$file" ] || . "$file"; done
    for pair in $(of "$1" Environment); do export "${pair?}"; done
    set +a
    cd "$(of "$1" WorkingDirectory)"
    setsid runuser -u "$(of "$1" User)" -- $(of "$1" ExecStart) > "$log/$1.log" 2>&1 < /dev/null &
    echo $! > "/run/$1.pid"
}

start() {
    case $1 in
        postgresql) for cluster in /etc/postgresql/*; do pg_ctlcluster "$(basename "$cluster")" main start; done ;;
        redis-server) setsid runuser -u redis -- redis-server /etc/redis/redis.conf --daemonize yes --pidfile /run/redis/walk.pid ;;
        nginx) nginx ;;
        prometheus)
            setsid runuser -u prometheus -- prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/var/lib/prometheus \
                --web.listen-address=127.0.0.1:9090 > $log/prometheus.log 2>&1 < /dev/null &
            echo $! > /run/prometheus.pid ;;
        hms.target) for unit in $(of hms.target Wants); do start_unit "$unit"; done ;;
        *) echo "no stand-in for $1" >&2; exit 1 ;;
    esac
}

case $1 in
    daemon-reload) ;;
    enable) start "$3" ;;
    start | restart) mkdir -p /run/redis && chown redis: /run/redis; for name in "${@:2}"; do start "$name"; done ;;
    stop-all)
        for file in /run/hms-*.pid /run/nginx.pid /run/prometheus.pid /run/redis/walk.pid; do [ ! -e "$file" ] || kill "$(cat "$file")" || true; done
        for cluster in /etc/postgresql/*; do pg_ctlcluster "$(basename "$cluster")" main stop --mode fast; done ;;
esac
