# Sourced by scripts/up and scripts/test: makes .venv with Python 3.11 or 3.12 and keeps it up to date.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Print the first Python that Open WebUI runs on.
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3 python; do
        if [ -n "$candidate" ] && "$candidate" -c \
            'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Rightsize needs Python 3.11 or 3.12 with its venv module (Debian: apt install python3 python3-venv);" \
        "name another with PYTHON=/path/to/python3.11." >&2
    return 1
}

# Install the given requirement files into .venv, unless they are in it as they are now.
make_environment() {
    local stamp=.venv/rightsize-installed wanted python file arguments=()
    wanted=$(for file in "$@"; do cksum "$file"; done)
    if [ -x .venv/bin/python ] && [ -z "$(grep -vxFf "$stamp" <<< "$wanted" 2>&1)" ]; then
        return
    fi
    if ! .venv/bin/python -m pip --version > /dev/null 2>&1; then
        python=$(find_python) || return
        rm -rf .venv
        "$python" -m venv .venv || return
    fi
    echo "Installing Open WebUI and what Rightsize needs into .venv: the first time takes some minutes ..."
    for file in "$@"; do arguments+=(-r "$file"); done
    if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check "${arguments[@]}"; then
        echo "Installing failed: see the lines above, then run this command again." >&2
        return 1
    fi
    echo "$wanted" > "$stamp"
}
