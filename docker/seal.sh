#!/bin/sh
# Prepare the environment for any user, as the last step of the build stage: remove traces of this machine and build time,
# and make PaddleHub's folders writable.
set -eu
trap 'status=$?; [ "$status" -eq 0 ] || echo "seal: failed with status $status" >&2' EXIT

hub=$(python3 -I -c 'import sysconfig; print(sysconfig.get_path("scripts"))')/hub

# `hub install` left a random id and a timestamp there; each container creates its own.
rm -rf -- "$HUB_HOME/conf" "$HUB_HOME/log" "$HUB_HOME/cache" "$HUB_HOME/tmp"
find "$HUB_HOME" -name __pycache__ -prune -exec rm -rf -- {} +
for folder in cache conf dataset log sources thirdparty tmp; do
    mkdir -p -- "$HUB_HOME/$folder"
    chmod 1777 -- "$HUB_HOME/$folder"
done

# start.sh reads this instead of running setup.sh again.
echo "$hub" >.image
