#!/usr/bin/env bash
# Brings `rovodev` to the PATH of the steps that follow: the one that is there, a release, or what the source builds.
set -euo pipefail

if [ -z "$ROVODEV_VERSION" ] && command -v rovodev >/dev/null; then
  exit 0
fi
folder=${RUNNER_TEMP:?}/rovodev
mkdir -p "$folder"
if [ -z "$ROVODEV_VERSION" ]; then
  cargo install --locked --path "$GITHUB_ACTION_PATH/../../.." --bin rovodev --root "$folder"
  echo "$folder/bin" >>"$GITHUB_PATH"
  exit 0
fi
releases=${ROVODEV_RELEASES:-$GITHUB_SERVER_URL/$GITHUB_ACTION_REPOSITORY/releases/download}
name=rovodev-$(uname -m)-unknown-linux-gnu.tar.gz
cd "$folder"
for file in "$name" "$name.sha256"; do
  curl --silent --show-error --fail --location --max-time 120 --retry 3 --output "$file" "$releases/$ROVODEV_VERSION/$file"
done
# The file names itself: another name beside the sum would check another file.
echo "$(cut -d ' ' -f 1 "$name.sha256")  $name" | sha256sum --check --quiet
tar --extract --gzip --file "$name" rovodev
echo "$folder" >>"$GITHUB_PATH"
