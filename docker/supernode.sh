#!/bin/sh
# Starts a SuperNode, with the ClientApp as its child process. Everything comes from the environment:
#   FEDMVP_SUPERLINK     host:port of the SuperLink                               (superlink:8000)
#   FEDMVP_NODE_CONFIG   which shard this node holds                              (required)
#                        partition-id=0 num-partitions=3
#                        partition-id=0 data-dir="/data" dataset="imagefolder" classes="bee,cat"
#   FEDMVP_TLS_DIR       folder with the ca.crt that signed the SuperLink         ("": no TLS)
#   FEDMVP_KEY           this node's private key                                  ("": none)
#   FEDMVP_INSECURE      1 allows to run without TLS                              (0)
#   FEDMVP_DEVICE        auto, cpu or cuda: what the checks look for              (auto)
#   FEDMVP_RUNTIME_HOST  address at which the ClientApp finds this SuperNode      (127.0.0.1)
#   FEDMVP_RUNTIME_PORT  and its port                                             (9094)
#   FEDMVP_DOCTOR        0 leaves out the checks before the start                 (1)
set -eu
: "${FEDMVP_SUPERLINK:=superlink:8000}" "${FEDMVP_TLS_DIR:=}" "${FEDMVP_KEY:=}"
: "${FEDMVP_INSECURE:=0}" "${FEDMVP_DEVICE:=auto}" "${FEDMVP_DOCTOR:=1}"
: "${FEDMVP_RUNTIME_HOST:=127.0.0.1}" "${FEDMVP_RUNTIME_PORT:=9094}"
: "${FEDMVP_NODE_CONFIG:?say which shard this node holds, such as partition-id=0 num-partitions=3}"
# One thread a client, as in simulation: the result does not depend on the machine.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

if [ -n "$FEDMVP_TLS_DIR" ]; then
    set -- --root-certificates "$FEDMVP_TLS_DIR/ca.crt" "$@"
elif [ "$FEDMVP_INSECURE" = 1 ]; then
    set -- --insecure "$@"
else
    echo "FEDMVP_TLS_DIR is empty: name the folder that holds the SuperLink's ca.crt," \
        "or set FEDMVP_INSECURE=1 on a network that you trust" >&2
    exit 2
fi
if [ -n "$FEDMVP_KEY" ]; then
    set -- --auth-supernode-private-key "$FEDMVP_KEY" "$@"
fi
if [ "$FEDMVP_DOCTOR" = 1 ]; then
    fedmvp deploy doctor supernode --superlink "$FEDMVP_SUPERLINK" --tls-dir "$FEDMVP_TLS_DIR" \
        --key "$FEDMVP_KEY" --node-config "$FEDMVP_NODE_CONFIG" --device "$FEDMVP_DEVICE" \
        --runtime-port "$FEDMVP_RUNTIME_PORT" >&2
fi
exec flower-supernode --superlink "$FEDMVP_SUPERLINK" --node-config "$FEDMVP_NODE_CONFIG" \
    --host "$FEDMVP_RUNTIME_HOST" --port "$FEDMVP_RUNTIME_PORT" --isolation subprocess "$@"
