#!/bin/sh
# Whether the SuperLink (default) or the SuperNode ("supernode") of this container answers.
set -eu
if [ "${1:-superlink}" = supernode ]; then
    exec fedmvp deploy health "127.0.0.1:${FEDMVP_RUNTIME_PORT:-9094}"
fi
exec fedmvp deploy health "127.0.0.1:${FEDMVP_PORT:-8000}" --tls-dir "${FEDMVP_TLS_DIR:-}"
