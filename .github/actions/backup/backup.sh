#!/usr/bin/env bash
# Signs in, takes the backup, waits for it. The exit code is that of `rovodev backup`; 3, done with warnings, is a success
# that is told.
set -euo pipefail

token=$(curl --silent --show-error --fail --max-time 30 --retry 3 "$SUPABASE_URL/auth/v1/token?grant_type=password" \
  --header "apikey: $SUPABASE_PUBLISHABLE_KEY" --header 'content-type: application/json' --data @- <<<"$ROVODEV_USER" |
  jq --exit-status --raw-output .access_token) || {
  echo "::error::Supabase Auth did not let the user sign in."
  exit 6
}
echo "::add-mask::$token"
unset ROVODEV_USER

code=0
told=$(ROVODEV_TOKEN=$token rovodev backup --wait --type "$BACKUP_TYPE" --name "$BACKUP_NAME" --json) || code=$?
{
  echo "backup-id=$(jq --raw-output '.id // empty' <<<"$told")"
  echo "status=$(jq --raw-output '.status // "failed"' <<<"$told")"
} >>"$GITHUB_OUTPUT"
case $code in
  0) ;;
  3) echo "::warning::The backup was taken with warnings: $(jq --compact-output '.warnings // []' <<<"$told")" ;;
  *) echo "::error::$(jq --raw-output '.error.message // "The backup was not taken."' <<<"$told")" && exit "$code" ;;
esac
