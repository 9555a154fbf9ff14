# shellcheck shell=bash
# Sourced: puts the Swift toolchain into PATH. sudo resets PATH, so the caller's own is asked too.

find_swift() {
  local found
  command -v swift >/dev/null && return
  if [[ -n ${SUDO_USER:-} ]]; then
    found=$(runuser -l "$SUDO_USER" -c 'command -v swift' 2>/dev/null || true)
    if [[ -x $found ]]; then
      PATH=$(dirname "$found"):$PATH
      return
    fi
  fi
  for found in /opt/swift/usr/bin /usr/local/swift/usr/bin /usr/libexec/swift/bin; do
    if [[ -x $found/swift ]]; then
      PATH=$found:$PATH
      return
    fi
  done
  echo "${0##*/}: no Swift toolchain in PATH; install Swift 6.3 (https://www.swift.org/install)" >&2
  return 3
}
