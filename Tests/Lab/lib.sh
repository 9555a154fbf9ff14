# shellcheck shell=bash
# What every lab test and deploy/demo.sh starts from:
#   network.sh  the namespaces, their addresses, and clean-up whatever happens
#   servers.sh  the resolver, the web servers and the sinks
#   gateway.sh  the gateway's files, its start and its end
#   clients.sh  attempts of the phones, and how each ended
#   checks.sh   "ok 12 - text", the summary line, the exit status
#
# A test is a script of its own: it sources this file, calls lab_up, makes its checks and ends with
# `summary`. It needs root and cleans up by itself; after a kill -9, clean.sh does.

LAB_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROJECT=$(cd "$LAB_SCRIPTS/../.." && pwd)
readonly LAB_SCRIPTS PROJECT

# The clients and servers must see nothing of the machine's own surroundings.
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
export LC_ALL=C

# shellcheck source=checks.sh
source "$LAB_SCRIPTS/checks.sh"
# shellcheck source=network.sh
source "$LAB_SCRIPTS/network.sh"
# shellcheck source=servers.sh
source "$LAB_SCRIPTS/servers.sh"
# shellcheck source=gateway.sh
source "$LAB_SCRIPTS/gateway.sh"
# shellcheck source=clients.sh
source "$LAB_SCRIPTS/clients.sh"
