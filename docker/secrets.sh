#!/bin/sh
# Makes certificates and keys beside this script: secrets.sh HOST NODE...
#   secrets/tls     ca.crt to everybody; server.crt, server.key to the SuperLink; ca.key to nobody
#   secrets/keys    NODE to its node, NODE.pub stays
#   secrets/public  copies of all NODE.pub, for the SuperLink to register
# It needs the fedmvp command; FEDMVP_DAYS is how long certificates are valid (365).
set -eu
if [ "$#" -lt 2 ]; then
    echo "usage: $0 HOST NODE...   such as: $0 fl.example.org site-a site-b" >&2
    exit 2
fi
folder="${FEDMVP_SECRETS:-$(dirname "$0")/secrets}"
host="$1"
shift
umask 077
mkdir -p "$folder/public"
fedmvp deploy certificates --folder "$folder/tls" --host "$host" --days "${FEDMVP_DAYS:-365}"
fedmvp deploy keys --folder "$folder/keys" "$@"
for node in "$@"; do
    cp "$folder/keys/$node.pub" "$folder/public/$node.pub"
done
