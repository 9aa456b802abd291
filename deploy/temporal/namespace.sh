#!/bin/sh
# Waits until Temporal serves, then makes sure that the namespace exists and keeps closed runs for RETENTION.
set -eu

: "${TEMPORAL_ADDRESS:?is required}" "${TEMPORAL_NAMESPACE:?is required}" "${RETENTION:?is required}"

attempts=60
until temporal operator cluster health --address "$TEMPORAL_ADDRESS"; do
    attempts=$((attempts - 1))
    if [ "$attempts" -le 0 ]; then
        echo "Temporal at $TEMPORAL_ADDRESS did not become healthy." >&2
        exit 1
    fi
    sleep 2
done

attempts=30
while :; do
    if temporal operator namespace describe --address "$TEMPORAL_ADDRESS" -n "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
        temporal operator namespace update --address "$TEMPORAL_ADDRESS" -n "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
        exit 0
    fi
    if temporal operator namespace create --address "$TEMPORAL_ADDRESS" -n "$TEMPORAL_NAMESPACE" --retention "$RETENTION"; then
        # The frontend learns of a new namespace from its cache, which is refreshed within ten seconds.
        sleep 10
        exit 0
    fi
    attempts=$((attempts - 1))
    if [ "$attempts" -le 0 ]; then
        echo "Namespace $TEMPORAL_NAMESPACE could not be created." >&2
        exit 1
    fi
    sleep 2
done
