#!/usr/bin/env bash
# A gate for continuous integration: are the claims that this project relies on still borne out?
#
#   examples/gate.sh DIR PRESET...      trains what is missing in DIR and checks the presets' claims
#
# Exit status: 0 all hold; 1 a claim is contradicted or not reproduced, or runs failed; 2 usage.
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: $0 DIR PRESET..." >&2
  exit 2
fi
folder=$1
shift
mkdir -p "$folder"
status=0
bncli verify "$@" --strict --quiet --out "$folder" --format json > "$folder/verdicts.json" || status=$?
case $status in
  0) echo "All claims hold." ;;
  1) echo "A claim does not hold, or runs failed; see above and $folder/verdicts.json" >&2 ;;
  *) echo "bncli verify ended with status $status" >&2 ;;
esac
exit "$status"
