#!/bin/sh
# Creates Temporal's two databases and brings their schema to the version of this image. Every step may be repeated.
set -eu

: "${POSTGRES_SEEDS:?is required}" "${POSTGRES_USER:?is required}" "${SQL_PASSWORD:?is required}"

# database, folder of its schema in the image
migrate() {
    sql() {
        temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p "${DB_PORT:-5432}" -u "$POSTGRES_USER" --db "$@"
    }
    sql "$1" create
    sql "$1" setup-schema -v 0.0
    sql "$1" update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

migrate temporal temporal
migrate temporal_visibility visibility
