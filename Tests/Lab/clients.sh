# shellcheck shell=bash
# What the phones try, and how each attempt ended:
#   OUTCOME       ok, reset, icmp (an error message), closed, silent (timed out), or failed
#   MILLISECONDS  from the connect, name look-up not counted, to the outcome
#   DETAIL        HTTP status, or the client's own words

OUTCOME=
MILLISECONDS=
DETAIL=

# The longest that a refusal may take.
REFUSAL_LIMIT_MS=${LAB_REFUSAL_MS:-50}

# fetch PHONE FAMILY URL [CURL-ARGUMENT...]: one request by curl, which checks the certificate. A name
# that the gateway would not let anybody ask for comes with its address: what is tried here is what
# happens to a client that has it already.
fetch() {
  local phone=$1 family=$2 url=$3 found status http looked total known=()
  shift 3
  if [[ $url =~ ^http(s?)://([^/:]+)(:([0-9]+))?/ ]] && is_unlisted "${BASH_REMATCH[2]}"; then
    mapfile -t known < <(pinned "$family" "${BASH_REMATCH[2]}" \
      "${BASH_REMATCH[4]:-$([[ -n ${BASH_REMATCH[1]} ]] && echo 443 || echo 80)}")
  fi
  status=0
  found=$(on_phone "$phone" curl -q --silent "-$family" --cacert "$LAB/tls/ca.crt" --max-time 4 \
    --write-out '%{http_code} %{time_namelookup} %{time_total} %{errormsg}' \
    "${known[@]}" "$@" --output /dev/null "$url") || status=$?
  read -r http looked total DETAIL <<<"$found"
  MILLISECONDS=$(awk -v total="$total" -v looked="$looked" \
    'BEGIN { printf "%.1f", (total - looked) * 1000 }')
  OUTCOME=$(curl_outcome "$status" "$http" "$DETAIL")
  [[ $OUTCOME != ok ]] || DETAIL=$http
}

# curl_outcome EXIT-STATUS HTTP-STATUS MESSAGE
curl_outcome() {
  case $1:$3 in
    0:*) if [[ $2 == 2* ]]; then echo ok; else echo failed; fi ;;
    28:*) echo silent ;;
    *reset*) echo reset ;;
    52:* | *:*EOF* | *:*SYSCALL*) echo closed ;;
    # "Couldn't connect" is all that curl says: a client that would have waited gets 28.
    7:*) echo reset ;;
    *) echo failed ;;
  esac
}

# handshake PHONE FAMILY NAME: by openssl s_client, certificate checked. Its own start takes longer
# than a refusal may: the time counts from the connection's opening, when it says that it begins.
handshake() {
  local phone=$1 family=$2 name=$3 start status=0 said='' line
  start=${EPOCHREALTIME/[.,]/}
  while IFS= read -r line; do
    case $line in
      'SSL_connect:before SSL initialization') start=${EPOCHREALTIME/[.,]/} ;;
      SSL_connect:*) ;;
      status=*) status=${line#status=} ;;
      *) said+=$line$'\n' ;;
    esac
  done < <(
    on_phone "$phone" timeout 4 openssl s_client -brief -state -verify_return_error \
      -CAfile "$LAB/tls/ca.crt" -servername "$name" -verify_hostname "$name" \
      -connect "$(bracketed "$(address "$family" "$name")"):443" </dev/null 2>&1 \
      || printf 'status=%d\n' $?
  )
  MILLISECONDS=$(awk -v us=$((${EPOCHREALTIME/[.,]/} - start)) 'BEGIN { printf "%.1f", us / 1000 }')
  DETAIL=$(tail -n 1 <<<"${said%$'\n'}")
  case $status:$said in
    0:*'Verification: OK'*) OUTCOME=ok DETAIL=$(sed -n 's/^Protocol version: //p' <<<"$said") ;;
    124:*) OUTCOME=silent ;;
    *'errno=104'* | *'reset by peer'* | *'refused'*) OUTCOME=reset ;;
    *'unreachable'* | *'No route'* | *'errno=113'*) OUTCOME=icmp ;;
    *'errno=0'* | *'unexpected eof'*) OUTCOME=closed ;;
    *) OUTCOME=failed ;;
  esac
}

# probe PHONE ARGUMENT...: an attempt that curl cannot make; see probe.py. Prints its lines.
probe() { on_phone "$1" python3 -I "$LAB_SCRIPTS/probe.py" "${@:2}"; }

# try_probe PHONE ARGUMENT...: one such attempt, into the variables above.
try_probe() { take_outcome "$2" < <(probe "$@"); }

# try_outside ARGUMENT...: the same from the internet towards the LAN.
try_outside() { take_outcome "$1" < <(on_internet python3 -I "$LAB_SCRIPTS/probe.py" "$@"); }

take_outcome() {
  read -r OUTCOME _ MILLISECONDS DETAIL || OUTCOME=failed MILLISECONDS=0
  case $OUTCOME:$1 in
    answered:*) OUTCOME=ok ;;
    refused:udp | refused:ping) OUTCOME=icmp ;;
    refused:*) OUTCOME=reset ;;
  esac
}

# pinned FAMILY NAME PORT...: the curl arguments that give NAME its own address without asking any
# resolver, as an app with a remembered address does.
pinned() {
  local family=$1 name=$2 port
  shift 2
  for port; do printf -- '--resolve\n%s:%s:%s\n' "$name" "$port" "$(bracketed "$(address "$family" "$name")")"; done
}

# expect_ok TEXT: the latest attempt succeeded.
expect_ok() {
  if [[ $OUTCOME == ok ]]; then
    pass "$1 ($MILLISECONDS ms)"
  else
    fail "$1" "expected ok, found $OUTCOME after $MILLISECONDS ms: $DETAIL"
  fi
}

# expect_refused TEXT: the latest attempt was refused, audibly and at once.
expect_refused() {
  if [[ $OUTCOME != reset && $OUTCOME != icmp ]]; then
    fail "$1" "expected a reset or an ICMP error, found $OUTCOME after $MILLISECONDS ms: $DETAIL"
  elif ((${MILLISECONDS%.*} >= REFUSAL_LIMIT_MS)); then
    fail "$1" "expected it within $REFUSAL_LIMIT_MS ms, it took $MILLISECONDS ms"
  else
    pass "$1 ($OUTCOME, $MILLISECONDS ms)"
  fi
}
