#!/bin/sh
# Make the environment one that any user may run: nothing left of this machine or of the moment, and PaddleHub's folders
# writable. The last step of the build stage.
set -eu
trap 'status=$?; [ "$status" -eq 0 ] || echo "seal: failed with status $status" >&2' EXIT

hub=$(python3 -I -c 'import sysconfig; print(sysconfig.get_path("scripts"))')/hub

# `hub install` left a random id and a time there; each container gets its own.
rm -rf -- "$HUB_HOME/conf" "$HUB_HOME/log" "$HUB_HOME/cache" "$HUB_HOME/tmp"
find "$HUB_HOME" -name __pycache__ -prune -exec rm -rf -- {} +
for folder in cache conf dataset log sources thirdparty tmp; do
    mkdir -p -- "$HUB_HOME/$folder"
    chmod 1777 -- "$HUB_HOME/$folder"
done

# start.sh reads it in place of running setup.sh, which has done its work.
echo "$hub" >.image
