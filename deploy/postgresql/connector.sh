#!/bin/sh
# Runs once, on the first start of an empty database server: the connector's own role and database.
set -eu

: "${CONNECTOR_DATABASE_PASSWORD:?is required}"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set password="$CONNECTOR_DATABASE_PASSWORD" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE connector LOGIN PASSWORD :'password';
CREATE DATABASE connector OWNER connector;
REVOKE ALL ON DATABASE connector FROM PUBLIC;
SQL
