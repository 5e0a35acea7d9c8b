#!/usr/bin/env bash
# Vercel's builder runs this before it compiles each function: pg_dump has to be there to be packed beside them.
set -euo pipefail
cd "$(dirname "$0")"

[ -f pg_dump/bundle.json ] || bin/bundle-pg-dump pg_dump
