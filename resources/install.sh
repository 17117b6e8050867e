#!/bin/sh
# Installs what vo-server needs and is missing: PostgreSQL with pgSphere and a C compiler (Debian packages),
# and a virtual environment with the locked Python packages. Changes nothing when all is there.
# Usage: install.sh VENV [test]   (test: with what the tests and benchmarks need, too)
set -eu

venv=$1
kind=${2:-run}
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

can_install() {
    command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1; }
}

updated=no
apt_install() {
    say "Installing Debian packages: $*"
    if [ "$updated" = no ]; then
        as_root apt-get update -qq
        updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# The newest PostgreSQL on the machine, as its major version; empty if there is none.
postgres_version() {
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$initdb" ] && basename "$(dirname "$(dirname "$initdb")")"
    done | sort -n | tail -n 1
}

pgsphere_there() {
    version=$(postgres_version)
    if [ -n "$version" ]; then
        [ -e "/usr/share/postgresql/$version/extension/pg_sphere.control" ]
    else
        command -v pg_config >/dev/null 2>&1 && [ -e "$(pg_config --sharedir)/extension/pg_sphere.control" ]
    fi
}

postgres_there() {
    [ -n "$(postgres_version)" ] || command -v initdb >/dev/null 2>&1
}

install_database() {
    if postgres_there && pgsphere_there; then return; fi
    if ! can_install; then
        say "vo-server needs PostgreSQL 14 or later with pgSphere, and cannot install them here"
        say "(apt-get, and root or sudo, are needed for that). Please install:"
        say "  Debian, Ubuntu:  apt-get install postgresql postgresql-15-pgsphere   (15: your PostgreSQL's version)"
        say "  Fedora:          dnf install postgresql-server postgresql-contrib pgsphere"
        say "  others:          PostgreSQL from your system, pgSphere 1.2 or later from its sources"
        say "or set VO_SERVER_DATABASE_URL to a database whose server has pgSphere."
        exit 2
    fi
    postgres_there || apt_install postgresql
    pgsphere_there || apt_install "postgresql-$(postgres_version)-pgsphere"
}

# vo-server compiles one file of its own.
install_compiler() {
    if command -v cc >/dev/null 2>&1 && printf '#include <string.h>\n' | cc -E - >/dev/null 2>&1; then return; fi
    if ! can_install; then
        say "vo-server needs a C compiler to be installed (Debian packages gcc and libc6-dev)."
        exit 2
    fi
    apt_install gcc libc6-dev
}

pip_install() {
    "$venv/bin/python" -m pip --disable-pip-version-check install -qq --root-user-action=ignore "$@"
}

install_python() {
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        say "vo-server needs Python 3.11 or later as $python; set PYTHON to name another."
        exit 2
    fi
    lock="$here/requirements.lock"
    [ "$kind" = test ] && lock="$here/requirements-test.lock"
    stamp="$venv/installed-$kind"
    wanted=$(cat "$lock" "$here/pyproject.toml" "$here"/vo_server/rows/decode.c | cksum)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -x "$venv/bin/python" ]; then return; fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        if ! can_install; then
            say "Python's venv module is missing; install it (Debian: apt-get install python3-venv)."
            exit 2
        fi
        apt_install python3-venv
    fi
    install_compiler
    say "Installing Python packages into $venv"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    pip_install --require-hashes -r "$lock"
    pip_install --no-deps --no-build-isolation -e "$here"
    printf '%s\n' "$wanted" >"$stamp"
}

# What the tests and benchmarks drive the server with.
install_clients() {
    for client in stilts curl; do
        command -v "$client" >/dev/null 2>&1 && continue
        if ! can_install; then
            say "The tests and benchmarks need $client (Debian package $client)."
            exit 2
        fi
        apt_install "$client"
    done
}

# XML schemata that the tests validate against: unpacked, since the package itself brings a whole server.
install_schemata() {
    schemata="$venv/share/ivoa-schemata"
    [ -d "$schemata" ] && return
    if ! can_install; then
        say "The tests need the XML schemata of Debian's package python3-gavo in $schemata."
        exit 2
    fi
    say "Unpacking the XML schemata of python3-gavo"
    unpacked=$(mktemp -d)
    chmod 755 "$unpacked"
    if ! (cd "$unpacked" && apt-get download -qq python3-gavo 2>/dev/null); then
        as_root apt-get update -qq
        (cd "$unpacked" && apt-get download -qq python3-gavo >&2)
    fi
    dpkg-deb -x "$unpacked"/python3-gavo_*.deb "$unpacked"
    mkdir -p "$venv/share"
    mv "$unpacked/usr/lib/python3/dist-packages/gavo/resources/schemata" "$schemata"
    rm -rf "$unpacked"
}

if [ -z "${VO_SERVER_DATABASE_URL:-}" ] || [ "$kind" = test ]; then install_database; fi
install_python
if [ "$kind" = test ]; then
    install_clients
    install_schemata
fi
