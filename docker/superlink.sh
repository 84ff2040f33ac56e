#!/bin/sh
# Starts a SuperLink, with the ServerApp as its child process. Everything comes from the environment:
#   FEDMVP_HOST      address to listen on                                     (0.0.0.0)
#   FEDMVP_PORT      port of everything: fleet, control, runtime              (8000)
#   FEDMVP_TLS_DIR   folder with ca.crt, server.crt and server.key            ("": no TLS)
#   FEDMVP_INSECURE  1 allows to run without TLS, and then without keys       (0)
#   FEDMVP_STATE     database of nodes and runs; "" keeps them in memory      ("")
#   FEDMVP_DOCTOR    0 leaves out the checks before the start                 (1)
set -eu
: "${FEDMVP_HOST:=0.0.0.0}" "${FEDMVP_PORT:=8000}" "${FEDMVP_TLS_DIR:=}" "${FEDMVP_INSECURE:=0}"
: "${FEDMVP_STATE:=}" "${FEDMVP_DOCTOR:=1}"

if [ -n "$FEDMVP_TLS_DIR" ]; then
    # A SuperNode proves who it is with a key that was registered (flwr supernode register).
    set -- --ssl-ca-certfile "$FEDMVP_TLS_DIR/ca.crt" --ssl-certfile "$FEDMVP_TLS_DIR/server.crt" \
        --ssl-keyfile "$FEDMVP_TLS_DIR/server.key" --enable-supernode-auth "$@"
elif [ "$FEDMVP_INSECURE" = 1 ]; then
    set -- --insecure "$@"
else
    echo "FEDMVP_TLS_DIR is empty: name the folder of 'fedmvp deploy certificates'," \
        "or set FEDMVP_INSECURE=1 on a network that you trust" >&2
    exit 2
fi
if [ -n "$FEDMVP_STATE" ]; then
    set -- --database "$FEDMVP_STATE" "$@"
fi
if [ "$FEDMVP_DOCTOR" = 1 ]; then
    fedmvp deploy doctor superlink --host "$FEDMVP_HOST" --port "$FEDMVP_PORT" \
        --tls-dir "$FEDMVP_TLS_DIR" >&2
fi
# Flower would otherwise install the app's dependencies again for every run.
exec flower-superlink --host "$FEDMVP_HOST" --port "$FEDMVP_PORT" --isolation subprocess \
    --disable-runtime-dependency-installation "$@"
