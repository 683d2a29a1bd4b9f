#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the packages that are missing, and prints their names.
#
#     sh scripts/install.sh [c | python | lua | demo | test | bench | real-servers]
#
#   c      a C compiler and the headers of OpenSSL and zlib, which build the C library
#   python the same with Python's headers and venv, for `pip install .`
#   lua    the same with Lua 5.1, 5.2, 5.3, 5.4, LuaJIT, and LuaRocks
#   demo   what the demo needs (default)
#   test   what the tests need: more packages, also libcurl 8.14.1 or later, on Debian 12 from its backports; Python
#          packages into build/venv, npm packages into build/node, nginx's Lua module into build/nginx-lua
#   bench  what the benchmark needs: lua-http; bench/run.py installs the Python clients itself
#   real-servers  the servers of examples/servers/, beside what test installs: 500 MB, most of it Chromium; Python packages
#          into build/real-servers
#
# All but test, bench and real-servers use only Debian's packages, and none from backports. Works on Debian 12 and later, and on systems with its packages,
# as root or with sudo. Needs only a shell and apt. If nothing is missing, it is quick and uses no network. PYTHON
# selects another Python.
set -eu
cd "$(dirname "$0")/.."

KIND=${1:-demo}
case $KIND in
c | python | lua | demo | test | bench | real-servers) ;;
*)
    echo "usage: install.sh [c | python | lua | demo | test | bench | real-servers]" >&2
    exit 2
    ;;
esac

# python3, xz-utils and publicsuffix: scripts/build_libcurl.sh uses them
PACKAGES="gcc libc6-dev make pkg-config ca-certificates libssl-dev zlib1g-dev python3 xz-utils publicsuffix"
case $KIND in
python) PACKAGES="$PACKAGES python3-dev python3-venv" ;;
lua)
    PACKAGES="$PACKAGES luarocks
    lua5.1 liblua5.1-0-dev lua5.2 liblua5.2-dev lua5.3 liblua5.3-dev lua5.4 liblua5.4-dev
    luajit libluajit-5.1-dev"
    ;;
demo | test | bench)
    PACKAGES="$PACKAGES openssl
    python3-dev python3-setuptools python3-websockets python3-tqdm
    lua5.4 liblua5.4-dev lua-luaossl"
    ;;
esac
if [ "$KIND" = test ]; then
    PACKAGES="$PACKAGES
    python3-venv git clang luarocks lua-check shellcheck nginx-light apache2-bin libapache2-mod-auth-gssapi
    krb5-kdc krb5-admin-server krb5-user nodejs iproute2
    squid-openssl microsocks openssh-server openssh-client
    lua5.1 liblua5.1-0-dev lua5.2 liblua5.2-dev lua5.3 liblua5.3-dev luajit libluajit-5.1-dev
    lua-socket lua-luv lua-copas lua-cqueues neovim clang-tidy cppcheck abigail-tools libclang-rt-dev libunistring-dev valgrind libgpg-error-dev
    man-db tmux"
    # luv 1.44, copas 1.2, cqueues 20200726 and Neovim 0.7, or later: the loops of bindings/lua/curlwire/
    # libgpg-error-dev: Debian 12's curl-config names -lgpg-error for a static link, and none of its packages brings it
    # man-db, tmux: man checks the man page of the command, and tmux is a terminal for it
    # a Node that is not Debian's brings npm along
    command -v npm >/dev/null 2>&1 || PACKAGES="$PACKAGES npm"
fi
if [ "$KIND" = bench ]; then
    PACKAGES="$PACKAGES python3-venv lua-http lua5.1 liblua5.1-0-dev lua5.3 liblua5.3-dev
    luajit libluajit-5.1-dev"
fi
if [ "$KIND" = real-servers ]; then
    # mosquitto-clients: another client checks what ours publishes. lua-cjson: the JSON of the programs in Lua
    PACKAGES="python3 python3-venv nodejs chromium mosquitto mosquitto-clients nats-server tigervnc-standalone-server
    lua5.4 lua-cjson"
fi
CURL_PACKAGE=libcurl4-openssl-dev # only the tests use the system's libcurl

say() {
    echo "install.sh: $*"
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# Whether the system's libcurl is not needed, or there and good enough.
has_libcurl() {
    [ "$KIND" != test ] || LIBCURL=system sh scripts/check_libcurl.sh 2>/dev/null
}

# ---- without apt: check, and name what is missing

look_only() {
    missing=
    commands="cc make pkg-config python3"
    modules=
    case $KIND in
    python) modules=venv ;;
    lua) commands="$commands luarocks" ;;
    demo | test | bench) commands="$commands openssl lua5.4" modules="setuptools websockets tqdm" ;;
    real-servers) commands="python3 node chromium mosquitto mosquitto_sub nats-server Xvnc lua5.4" modules=venv ;;
    esac
    for command in $commands; do
        has "$command" || missing="$missing $command"
    done
    if [ "$KIND" = test ]; then
        for command in git clang clang-tidy cppcheck abidiff luarocks luacheck shellcheck nginx apache2 krb5kdc kinit node npm ip unshare valgrind squid microsocks sshd ssh nvim man tmux \
            lua5.1 lua5.2 lua5.3 luajit; do
            has $command || missing="$missing $command"
        done
    fi
    if [ -n "$modules" ] && has python3; then
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || missing="$missing python3>=3.11"
        for module in $modules; do
            python3 -c "import $module" 2>/dev/null || missing="$missing python3-$module"
        done
    fi
    pkg-config --exists openssl zlib 2>/dev/null || missing="$missing openssl,zlib(headers)"
    has_libcurl || missing="$missing libcurl>=8.14.1(ws,wss)"
    if [ -n "$missing" ]; then
        fail "this system has no apt. Please install these yourself:$missing (with the headers of Python and Lua)"
    fi
}

# ---- with apt

is_installed() {
    state=$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null) || return 1
    case $state in
    *not-installed*) return 1 ;;
    *installed*) return 0 ;;
    esac
    return 1
}

# Whether a package is installed, or another one brings its command. dpkg decides, because the places of a package's
# files differ from release to release.
is_there() {
    is_installed "$1" && return
    case $1 in
    pkg-config) has pkg-config ;;
    nodejs) has node || has nodejs ;;
    apache2-bin) has apache2 || [ -x /usr/sbin/apache2 ] ;;
    nginx-light) has nginx || [ -x /usr/sbin/nginx ] ;;
    squid-openssl) has squid || [ -x /usr/sbin/squid ] ;;
    microsocks) has microsocks ;;
    openssh-server) has sshd || [ -x /usr/sbin/sshd ] ;;
    openssh-client) has ssh ;;
    lua-check) has luacheck ;;
    neovim) has nvim ;;
    abigail-tools) has abidiff ;;
    iproute2) has ip ;;
    libclang-rt-dev) has clang && ls "$(clang -print-runtime-dir)"/libclang_rt.fuzzer* >/dev/null 2>&1 ;;
    gcc | make | git | clang | clang-tidy | cppcheck | shellcheck | luarocks | openssl | valgrind) has "$1" ;;
    *) return 1 ;;
    esac
}

missing_packages() {
    for package in $PACKAGES; do
        is_there "$package" || printf ' %s' "$package"
    done
    has_libcurl || printf ' %s' "$CURL_PACKAGE"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "packages are missing, and only root can install them. As root run: sh scripts/install.sh $KIND"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@"
}

install() {
    apt install -y --no-install-recommends --no-remove "$@"
}

candidate() {
    LC_ALL=C apt-cache policy "$1" | sed -n 's/^ *Candidate: *//p'
}

is_new_enough() {
    [ -n "$1" ] && [ "$1" != "(none)" ] && dpkg --compare-versions "$1" ge 8.14.1
}

# Prints the archive from which this machine installs its packages, so that this script needs no host name.
archive_of() {
    LC_ALL=C apt-cache policy | sed -n "s|^ *[0-9]* \([^ ]*\) $1/main .*|\1|p" | head -n 1
}

add_backports() {
    archive=$(archive_of "$1")
    [ -n "$archive" ] || fail "apt has no archive of $1, so its backports with libcurl 8.14.1 cannot be added. Add one to apt's sources"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    signed=
    [ -e $keyring ] && signed="[signed-by=$keyring] "
    say "adding $1-backports for libcurl (apt source curlwire-backports)"
    echo "deb ${signed}$archive $1-backports main" |
        as_root tee /etc/apt/sources.list.d/curlwire-backports.list >/dev/null
    apt update
}

install_libcurl() {
    if is_new_enough "$(candidate $CURL_PACKAGE)"; then
        install $CURL_PACKAGE
        return
    fi
    # shellcheck disable=SC1091 # a file of the system
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    backports=$codename-backports
    if ! LC_ALL=C apt-cache policy | grep -q " $backports/main "; then
        case $codename in
        bookworm) add_backports "$codename" ;;
        *) fail "apt has no libcurl 8.14.1 or later, which the tests use. Install one (with ws and wss) and set CURL_CONFIG to its curl-config" ;;
        esac
    fi
    # installing by version keeps other packages from the backports; by suite is for libcurl's own dependencies
    version=$(LC_ALL=C apt-cache madison $CURL_PACKAGE |
        awk -F ' *[|] *' -v suite="$backports/" 'index($3, suite) { print $2; exit }')
    is_new_enough "$version" || fail "$backports has no libcurl 8.14.1 or later. Install one and set CURL_CONFIG to its curl-config"
    wanted="$CURL_PACKAGE=$version libcurl4=$version"
    ! is_installed curl || wanted="$wanted curl=$version"
    # shellcheck disable=SC2086 # a list of names
    install $wanted || install -t "$backports" $wanted
}

install_packages() {
    say "installing$1"
    apt update
    wanted=
    for package in $1; do
        [ "$package" = $CURL_PACKAGE ] || wanted="$wanted $package"
    done
    # keep apt from starting the service of a package
    guard=
    case $wanted in
    *nginx* | *squid* | *openssh-server* | *krb5* | *mosquitto* | *nats-server*)
        if [ ! -e /usr/sbin/policy-rc.d ]; then
            guard=/usr/sbin/policy-rc.d
            printf '#!/bin/sh\nexit 101\n' | as_root tee $guard >/dev/null
            as_root chmod 755 $guard
            trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        fi
        ;;
    esac
    # shellcheck disable=SC2086 # a list of names
    [ -z "$wanted" ] || install $wanted
    if [ -n "$guard" ]; then
        as_root rm -f $guard
        trap - EXIT
    fi
    if ! has_libcurl; then
        install_libcurl
        LIBCURL=system sh scripts/check_libcurl.sh
    fi
}

# ---- Python and npm packages, for the tests

# Whether a stamp equals the list of packages, so that a second run has nothing to do.
is_done() {
    [ -e "$2" ] && cmp -s "$1" "$2"
}

install_python() {
    is_done tests/requirements.txt build/venv/requirements.done && return
    say "installing Python packages into build/venv"
    "$PYTHON" -m venv --clear build/venv
    build/venv/bin/python -m pip install --progress-bar off --disable-pip-version-check -r tests/requirements.txt
    cp tests/requirements.txt build/venv/requirements.done
}

install_real_servers() {
    requirements=tests/real_servers/requirements.txt
    is_done $requirements build/real-servers/requirements.done && return
    say "installing Python packages into build/real-servers"
    "$PYTHON" -m venv --clear build/real-servers
    build/real-servers/bin/python -m pip install --progress-bar off --disable-pip-version-check -r $requirements
    cp $requirements build/real-servers/requirements.done
}

install_node() {
    is_done tests/servers/package.json build/node/package.done && return
    say "installing npm packages into build/node"
    mkdir -p build/node
    cp tests/servers/package.json build/node/package.json
    npm install --prefix build/node --no-package-lock --no-audit --no-fund --loglevel=error
    cp tests/servers/package.json build/node/package.done
}

# As root, apt would warn that its own user cannot write here.
fetch_nginx_lua() {
    luajit=libluajit2-5.1-2
    [ -n "$(apt-cache show $luajit 2>/dev/null)" ] || luajit=libluajit-5.1-2 # Debian 13's LuaJIT is OpenResty's
    apt-get -qq -o APT::Sandbox::User="$(id -un)" download libnginx-mod-http-lua libnginx-mod-http-ndk $luajit \
        lua-resty-core lua-resty-lrucache
}

# Unpacks nginx's Lua module, which uses OpenResty's LuaJIT. It cannot be installed beside Debian's LuaJIT.
unpack_nginx_lua() {
    { ! has apt-get || [ -e build/nginx-lua/done ]; } && return
    say "unpacking nginx's Lua module into build/nginx-lua"
    rm -rf build/nginx-lua
    mkdir -p build/nginx-lua/packages
    (cd build/nginx-lua/packages && { fetch_nginx_lua || { apt update && fetch_nginx_lua; }; })
    for package in build/nginx-lua/packages/*.deb; do
        dpkg-deb -x "$package" build/nginx-lua
    done
    touch build/nginx-lua/done
}

if ! has apt-get || ! has dpkg-query; then
    look_only
else
    missing=$(missing_packages)
    [ -z "$missing" ] || install_packages "$missing"
fi

case $KIND in
c | lua) exit 0 ;;
esac

# The demo uses Debian's Python packages, which belong to /usr/bin/python3.
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ ! -x /usr/bin/python3 ] || PYTHON=/usr/bin/python3
fi
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$PYTHON is older than 3.11. Set PYTHON to a newer one"

if [ "$KIND" = test ]; then
    install_python
    install_node
    unpack_nginx_lua
elif [ "$KIND" = real-servers ]; then
    install_real_servers
fi
