#!/usr/bin/env bash
# A pull request runs code that nobody has agreed to yet: it takes no backups unless somebody says so.
set -euo pipefail

case "$GITHUB_EVENT_NAME" in
  pull_request | pull_request_target)
    if [ "$ALLOW_PULL_REQUESTS" != true ]; then
      echo "::error::Pull requests take no backups. Run this on push, or set allow-pull-requests to true."
      exit 2
    fi
    ;;
esac
