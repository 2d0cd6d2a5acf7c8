#!/usr/bin/env bash
# Runs "$@" on a desktop of its own: a display, a session bus, a window manager, a
# notification daemon, an unlocked keychain and a tray. Nothing of the user's is read or
# written, and whatever is started here is ended here, by its id.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [ -z "${LH_DESKTOP:-}" ]; then
  LH_DESKTOP=$(mktemp -d /tmp/lhw.XXXXXX)
  export LH_DESKTOP
  trap 'rm -rf "$LH_DESKTOP"' EXIT
  mkdir -p "$LH_DESKTOP"/{user/.config,user/.cache,user/.local/share/keyrings,run}
  chmod 700 "$LH_DESKTOP" "$LH_DESKTOP/run"
  unset DBUS_SESSION_BUS_ADDRESS WAYLAND_DISPLAY LONGHAUL_HOME
  export HOME=$LH_DESKTOP/user XDG_RUNTIME_DIR=$LH_DESKTOP/run
  export XDG_CONFIG_HOME=$HOME/.config XDG_CACHE_HOME=$HOME/.cache XDG_DATA_HOME=$HOME/.local/share
  export GDK_BACKEND=x11 NO_AT_BRIDGE=1 GIT_CONFIG_GLOBAL=/dev/null
  status=0
  dbus-run-session -- "$0" "$@" &
  session=$!
  # Cut short (a time limit): the part on the bus ends first, and this waits for it.
  trap 'kill "$(cat "$LH_DESKTOP/inside.pid")" 2>/dev/null || true' TERM INT
  wait "$session" || status=$?
  wait "$session" 2>/dev/null || true
  exit "$status"
fi

echo $$ >"$LH_DESKTOP/inside.pid"
started=()
finish() {
  # Daemons outlive what starts them; those of tests that were cut short would for ever.
  for daemon in "$LH_DESKTOP"/*/home/daemon.pid; do
    # The file goes with its daemon, which may end at this very moment.
    if pid=$(cat "$daemon" 2>/dev/null); then started+=("$pid"); fi
  done
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap finish EXIT
trap 'exit 143' TERM

background() {
  local name=$LH_DESKTOP/$1
  shift
  "$@" >"$name.log" 2>&1 &
  started+=($!)
  echo $! >"$name.pid"
}

# Xvfb itself picks a display that is free and says which.
mkfifo "$LH_DESKTOP/display"
Xvfb -displayfd 3 -screen 0 1360x900x24 -nolisten tcp 3>"$LH_DESKTOP/display" >"$LH_DESKTOP/xvfb.log" 2>&1 &
started+=($!)
read -r number <"$LH_DESKTOP/display"
export DISPLAY=:$number
# What the bus starts on demand needs the display too.
dbus-update-activation-environment DISPLAY >/dev/null 2>&1 || true

background openbox openbox
sed "s|@HERE@|$here|" "$here/dunstrc" >"$LH_DESKTOP/dunstrc"
background dunst dunst -conf "$LH_DESKTOP/dunstrc"
gnome-keyring-daemon --unlock --components=secrets --foreground <<<"test" >"$LH_DESKTOP/keyring.log" 2>&1 &
started+=($!)
background panel /usr/bin/python3 "$here/tray_host.py"

owned() {
  gdbus call --session --dest org.freedesktop.DBus --object-path / \
    --method org.freedesktop.DBus.NameHasOwner "$1" 2>/dev/null | grep -q true
}
for name in org.freedesktop.Notifications org.freedesktop.secrets org.kde.StatusNotifierWatcher; do
  for _ in $(seq 200); do
    owned "$name" && continue 2
    sleep 0.05
  done
  echo "$name did not come up: $(tail -n 5 "$LH_DESKTOP"/*.log)" >&2
  exit 1
done

"$@" &
started+=($!)
wait $!
