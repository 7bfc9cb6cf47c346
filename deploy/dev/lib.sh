# Shared by the scripts of deploy/dev and tests: Debian packages, the build, and a private PostgreSQL and Redis
# on loopback. Sourced by bash scripts that have set -euo pipefail.
#
# The servers keep their state in a folder the caller names, listen on free ports of 127.0.0.1 with
# passwords of their own, and are stopped when the script exits, however it exits. A system PostgreSQL or
# Redis is neither used nor touched.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

BUILD_PACKAGES=(gcc g++ cmake ninja-build pkg-config libuv1-dev node-llhttp libhiredis-dev libjansson-dev
    libssl-dev libpq-dev libcurl4-openssl-dev librdkafka-dev zlib1g-dev libcmocka-dev)
FUZZ_PACKAGES=(clang libclang-rt-14-dev) # libFuzzer and its sanitizers
SERVER_PACKAGES=(postgresql-15 postgresql-client-15 redis-server redis-tools openssl)

PG_BIN=/usr/lib/postgresql/15/bin
START_DEADLINE_S=30
STOP_DEADLINE_S=35 # the daemon promises to be gone within 30 s of SIGTERM

say() { printf '%s\n' "$@"; }
warn() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# die STATUS MESSAGE...
die()
{
    local status=$1
    shift
    warn "$*"
    exit "$status"
}

# --- Clean-up: a stack of commands, run last first when the script exits, is interrupted or terminated.

EXIT_COMMANDS=()

on_exit() { EXIT_COMMANDS+=("$*"); }

run_exit_commands()
{
    local status=$? i
    trap '' INT TERM HUP # a second Ctrl-C must not leave servers behind
    set +e
    for ((i = ${#EXIT_COMMANDS[@]} - 1; i >= 0; i--)); do
        eval "${EXIT_COMMANDS[i]}"
    done
    exit "$status"
}

handle_exits()
{
    trap run_exit_commands EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}

# --- Packages

package_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# install_packages PACKAGE...: installs those that are missing, as root or through sudo.
install_packages()
{
    local package log missing=() as_root=()
    for package in "$@"; do
        package_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die 77 "missing packages: ${missing[*]} (install them, or be root or have sudo)"
        as_root=(sudo)
    fi
    say "Installing Debian packages (takes a minute or two): ${missing[*]}"
    log=$(mktemp)
    if ! "${as_root[@]}" "$ROOT/deploy/dev/install-packages" "${missing[@]}" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        die 69 "could not install: ${missing[*]} (whole log: $log)"
    fi
    rm -f "$log"
}

# Any node from 18 on will do; Debian's only when there is none.
have_node()
{
    command -v npm >/dev/null &&
        node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)' 2>/dev/null
}

install_test_packages()
{
    # python3-socketio is a client that others wrote; the other two are what it polls and speaks WebSocket with; kcat one
    # of Kafka.
    local packages=(curl kcat python3 python3-socketio python3-requests python3-websocket)
    local tool
    for tool in clang-format clang-tidy cppcheck; do
        command -v "$tool" >/dev/null || packages+=("$tool")
    done
    have_node || packages+=(nodejs npm)
    install_packages "${packages[@]}"
}

# install_node_modules: the npm packages of tests/, at the versions of the lock file; done once.
install_node_modules()
{
    local dir=$ROOT/tests stamp
    stamp=$dir/node_modules/.installed
    exec 7>"$dir/.npm.lock"
    flock 7
    if ! cmp -s "$dir/package-lock.json" "$stamp"; then
        say "Installing the npm packages of tests/"
        (cd "$dir" && npm ci --loglevel=error --no-audit --no-fund --fetch-retries=5 7>&- >&2) || die 69 "npm ci failed in $dir"
        cp "$dir/package-lock.json" "$stamp"
    fi
    exec 7>&-
}

# --- Build

# build_tree DIR CMAKE_ARGUMENT...: configures and builds, all or BUILD_TARGET; two runs on one tree take turns.
build_tree()
{
    local dir=$1 log
    shift
    mkdir -p "$dir"
    log=$dir/build.log
    exec 7>"$dir/.build.lock"
    flock 7
    if ! { cmake -S "$ROOT" -B "$dir" -G Ninja "$@" &&
        cmake --build "$dir" ${BUILD_TARGET:+--target "$BUILD_TARGET"}; } >"$log" 2>&1 7>&-; then
        tail -n 60 "$log" >&2
        die 1 "the build failed; the whole log is $log"
    fi
    exec 7>&-
}

# --- Processes

# wait_until SECONDS COMMAND...: polls until the command succeeds; false when the time is up.
wait_until()
{
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.05
    done
}

process_gone() { ! kill -0 "$1" 2>/dev/null; }

# stop_process PID NAME: SIGTERM, then SIGKILL when the deadline passes. A stopped process is resumed first.
stop_process()
{
    kill -CONT "$1" 2>/dev/null
    kill -TERM "$1" 2>/dev/null || return 0
    if ! wait_until $STOP_DEADLINE_S process_gone "$1"; then
        warn "$2 (process $1) did not stop in $STOP_DEADLINE_S s: killed"
        kill -KILL "$1" 2>/dev/null
    fi
}

# random_port: a port below the ephemeral range with no listener now. Somebody may still take it before
# its user binds it, so whoever starts a server tries again with another one.
random_port()
{
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# secret_in FILE: the secret kept there, made up the first time.
secret_in()
{
    [ -s "$1" ] || (umask 077 && openssl rand -hex 16 >"$1.new" && mv "$1.new" "$1")
    cat "$1"
}

# lock_state DIR: makes the folder and keeps it for this process; fails at once when another run has it.
lock_state()
{
    mkdir -p "$1"
    exec 9>"$1/lock"
    flock -n 9 || die 75 "$1 is in use by another run (choose another with --state DIR)"
}

# --- PostgreSQL

# PostgreSQL refuses to run as root; its package brings the user for it.
as_pg_user()
{
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && LC_ALL=C.UTF-8 runuser -u postgres -- "$@") 9>&-
    else
        (cd / && LC_ALL=C.UTF-8 "$@") 9>&-
    fi
}

# pg_root STATE: the folder for PostgreSQL's files. Under root it must be one that user postgres can reach,
# which a checkout in root's home is not.
pg_root()
{
    local dir=$1/postgres
    if [ "$(id -u)" -ne 0 ]; then
        mkdir -p "$dir"
    elif as_pg_user test -x "$1"; then
        install -d -m 700 -o postgres -g postgres "$dir"
    else
        dir=/var/lib/conversationd-dev/$(printf %s "$1" | sha1sum | cut -c1-16)
        install -d -m 711 /var/lib/conversationd-dev
        install -d -m 700 -o postgres -g postgres "$dir"
    fi
    echo "$dir"
}

pg_init()
{
    local root=$1
    [ ! -s "$root/data/PG_VERSION" ] || return 0
    as_pg_user rm -rf "$root/data.new"
    printf '%s\n' "$PG_SUPERUSER_PASSWORD" | as_pg_user sh -c 'umask 077; cat >"$0"' "$root/pwfile"
    as_pg_user "$PG_BIN/initdb" -D "$root/data.new" --username=postgres --pwfile="$root/pwfile" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null ||
        die 1 "initdb failed"
    as_pg_user rm "$root/pwfile"
    as_pg_user mv "$root/data.new" "$root/data" # an interrupted initdb never looks like a finished one
}

pg_stop()
{
    as_pg_user "$PG_BIN/pg_ctl" -D "$1/data" -m fast -w -t $STOP_DEADLINE_S stop >/dev/null 2>&1
}

# pg_run SQL...: one psql as the superuser, stopping at the first error.
pg_run()
{
    PGPASSWORD=$PG_SUPERUSER_PASSWORD psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$DB_PORT" \
        -U postgres -d postgres -o /dev/null "$@" 9>&-
}

# pg_start STATE FSYNC: starts the cluster (made the first time) and sets DB_PORT and PG_SUPERUSER_PASSWORD.
pg_start()
{
    local root attempt
    PG_SUPERUSER_PASSWORD=$(secret_in "$1/pg-superuser-password")
    root=$(pg_root "$1")
    PG_ROOT=$root
    pg_init "$root"
    pg_stop "$root" || true # what a killed run may have left
    for attempt in 1 2 3 4 5 6 7 8; do
        DB_PORT=$(random_port)
        on_exit "pg_stop '$root'"
        if as_pg_user "$PG_BIN/pg_ctl" -D "$root/data" -l "$root/log" -w -t $START_DEADLINE_S \
            -o "-p $DB_PORT -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=$2" \
            -o "-c max_connections=400 -c shared_buffers=64MB" start >/dev/null 2>&1; then
            return 0
        fi
        as_pg_user tail -n 20 "$root/log" | grep -q 'could not bind\|Address already in use' || break
    done
    as_pg_user tail -n 20 "$root/log" >&2
    die 1 "PostgreSQL did not start; its log is $root/log"
}

# pg_create_database NAME ROLE PASSWORD: the daemon's own role and database, unless they are there.
pg_create_database()
{
    pg_run -v db="$1" -v role="$2" -v password="$3" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'role')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', :'role', :'password') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'db', :'role')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \gexec
SQL
}

# --- Redis

redis_cli() { REDISCLI_AUTH=$REDIS_PASSWORD redis-cli -h 127.0.0.1 -p "$@" 2>/dev/null; }
redis_answers() { [ "$(redis_cli "$1" PING)" = PONG ]; }
redis_settled() { redis_answers "$1" || process_gone "$2"; }

# What a killed run may have left: only that one knows the password kept here.
redis_stop_leftover()
{
    local port
    port=$(sed -n 's/^port //p' "$1/redis.conf" 2>/dev/null) || return 0
    redis_cli "$port" SHUTDOWN NOSAVE >/dev/null || true
}

# redis_start STATE: starts a Redis and sets REDIS_PORT and REDIS_PASSWORD. It keeps nothing on disk: the
# daemon rebuilds from PostgreSQL what it needs there.
redis_start()
{
    local dir=$1/redis attempt pid
    mkdir -p "$dir"
    REDIS_PASSWORD=$(secret_in "$1/redis-password")
    redis_stop_leftover "$dir"
    for attempt in 1 2 3 4 5 6 7 8; do
        REDIS_PORT=$(random_port)
        (umask 077 && printf '%s\n' "bind 127.0.0.1" "port $REDIS_PORT" "requirepass $REDIS_PASSWORD" \
            "databases 1024" 'save ""' "appendonly no" "dir \"$dir\"" >"$dir/redis.conf")
        setsid redis-server "$dir/redis.conf" >"$dir/log" 2>&1 9>&- &
        pid=$!
        disown "$pid"
        on_exit "stop_process $pid Redis"
        if wait_until $START_DEADLINE_S redis_settled "$REDIS_PORT" "$pid" && redis_answers "$REDIS_PORT"; then
            return 0
        fi
        grep -q 'bind: Address already in use' "$dir/log" || break
    done
    tail -n 20 "$dir/log" >&2
    die 1 "Redis did not start; its log is $dir/log"
}

# --- Kafka

# kafka_start STATE PROGRAM: mock brokers (tests/fixtures/kafka); sets KAFKA_BROKERS. What they hold goes with them.
kafka_start()
{
    local dir=$1/kafka pid
    mkdir -p "$dir"
    : >"$dir/brokers"
    setsid "$2" --stay >"$dir/brokers" 2>"$dir/log" </dev/null 9>&- &
    pid=$!
    disown "$pid"
    on_exit "stop_process $pid Kafka"
    wait_until $START_DEADLINE_S test -s "$dir/brokers" || die 1 "the mock brokers did not start; their log is $dir/log"
    KAFKA_BROKERS=$(head -n 1 "$dir/brokers")
}
