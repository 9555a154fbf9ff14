# shellcheck shell=bash
# The servers of the lab's internet: one address a name and family, nginx behind those of role
# `web`, a sink that counts what reaches it behind those of role `sink`. The router resolves all.

# name -> the last part of its addresses, 198.19.1.N and 2001:2:0:ff::1:N.
declare -rA HOST_NUMBER=(
  # WeChat's and QQ's own, as the packs in rules/services name them.
  [short.weixin.qq.com]=11
  [long.weixin.qq.com]=12
  [msfwifi.3g.qq.com]=13
  [wx.qlogo.cn]=14
  [weixinc2c.tc.qq.com]=15
  # Allowed by the lab's own lines in the rules.
  [files.example.org]=21
  [other.example.org]=22
  # Under an allowed suffix, so that the gateway cannot resolve it ahead, and no phone asks for it.
  [quiet.example.org]=23
  # Its server wants another key share: every client has to say hello twice.
  [twice.example.org]=24
  # Not allowed.
  [www.example.com]=31
  [mp.weixin.qq.com]=32
  [v.qq.com]=33
  [finder.video.qq.com]=34
  # Sinks.
  [sink.example.org]=41
  [sink.example.com]=42
  # Those of chat.sh: WeChat's; hklong has nothing on 8080.
  [szlong.weixin.qq.com]=51
  [hklong.weixin.qq.com]=52
  [szshort.weixin.qq.com]=53
  [dns.weixin.qq.com]=54
  [support.weixin.qq.com]=55
  [emoji.qpic.cn]=56
  [findershort.weixin.qq.com]=57
  [mmsns.qpic.cn]=58
  [game.weixin.qq.com]=59
  [webpush.weixin.qq.com]=60
  [wx.qq.com]=61
  # QQ's; msfxgv6 has nothing but 14000, sz2 nothing at all.
  [msfxg.3g.qq.com]=71
  [msfxgv6.3g.qq.com]=72
  [msfhttp.3g.qq.com]=73
  [3gimg.qq.com]=74
  [kiss.3g.qq.com]=75
  [monitor.uu.qq.com]=76
  [sz.tencent.com]=77
  [sz2.tencent.com]=78
  [tcpconn.tencent.com]=79
  [htdata3.qq.com]=80
  [lab.ftn.qq.com]=81
  [game.qq.com]=82
  # Of the phones themselves.
  [captive.apple.com]=91
  [connectivitycheck.gstatic.com]=92
  [mtalk.google.com]=93
  [courier.push.apple.com]=94
  [time.apple.com]=95
)
readonly WEB_LIMIT=40
readonly SINK_TCP_PORTS=22,53,80,443,853,5223,8080
readonly SINK_UDP_PORTS=53,123,443,3478,8000

# is_unlisted NAME: one of the names that no rule of the lab's allows.
is_unlisted() {
  local number=${HOST_NUMBER[$1]:-0}
  ((number > 30 && number <= WEB_LIMIT || number == 42))
}

# address 4|6 NAME
address() {
  local number=${HOST_NUMBER[$2]}
  if (($1 == 4)); then printf '198.19.1.%d' "$number"; else printf '2001:2:0:ff::1:%d' "$number"; fi
}

start_servers() {
  local name family
  for name in "${!HOST_NUMBER[@]}"; do
    add_address "$LAB_INTERNET" eth0 "$(address 4 "$name")/16"
    add_address "$LAB_INTERNET" eth0 "$(address 6 "$name")/64"
  done
  make_certificates
  start_resolver
  start_web
  start_sink
  for family in 4 6; do
    wait_until 10 on_internet curl -sf -o /dev/null \
      --resolve "www.example.com:80:$(bracketed "$(address "$family" www.example.com)")" \
      http://www.example.com/ || die "nginx did not start: $(tail -n 3 "$LAB/log/web")"
    wait_until 10 on_phone 1 getent "ahostsv$family" www.example.com \
      || die "dnsmasq did not start: $(tail -n 3 "$LAB/log/resolver")"
  done
  wait_until 10 test -e "$LAB/run/sink.ready" \
    || die "the sink did not start: $(tail -n 3 "$LAB/log/sink")"
  # The requests above are nobody's.
  : >"$LAB/log/access"
}

# An address as a URL and curl write it.
bracketed() { if [[ $1 == *:* ]]; then printf '[%s]' "$1"; else printf '%s' "$1"; fi; }

# An authority of this run's own, and one certificate for every name.
make_certificates() {
  local names
  mkdir "$LAB/tls"
  names=$(printf 'DNS:%s,' "${!HOST_NUMBER[@]}")
  {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
      -subj '/CN=imgate lab authority' -keyout "$LAB/tls/ca.key" -out "$LAB/tls/ca.crt"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=imgate lab' \
      -keyout "$LAB/tls/server.key" -out "$LAB/tls/server.csr"
    openssl x509 -req -in "$LAB/tls/server.csr" -CA "$LAB/tls/ca.crt" -CAkey "$LAB/tls/ca.key" \
      -CAcreateserial -days 2 -extfile <(printf 'subjectAltName=%s\n' "${names%,}") \
      -out "$LAB/tls/server.crt"
  } >"$LAB/log/tls" 2>&1 || die "openssl made no certificate: $(tail -n 3 "$LAB/log/tls")"
}

start_resolver() {
  local name
  # The lease file as a router has it: expiry, MAC, address, name, client id.
  cat >"$LAB/leases" <<END
$(($(date +%s) + 43200)) $(phone 1 mac) $(phone 1 4) phone-one *
$(($(date +%s) + 43200)) $(phone 2 mac) $(phone 2 4) phone-two *
END
  {
    printf '%s\n' user=root pid-file= no-resolv no-hosts no-poll bind-interfaces interface=br-lan \
      interface=lo dhcp-range="198.18.1.100,198.18.1.200,12h" dhcp-leasefile="$LAB/leases" \
      dhcp-host="$(phone 1 mac),$(phone 1 4),phone-one" \
      dhcp-host="$(phone 2 mac),$(phone 2 4),phone-two"
    for name in "${!HOST_NUMBER[@]}"; do
      printf 'host-record=%s,%s,%s,60\n' "$name" "$(address 4 "$name")" "$(address 6 "$name")"
    done
  } >"$LAB/resolver.conf"
  spawn resolver "$LAB_ROUTER" dnsmasq --keep-in-foreground --conf-file="$LAB/resolver.conf" \
    --log-facility=-
}

start_web() {
  mkdir -p "$LAB/www/upload" "$LAB/web-tmp"
  printf 'hello from the lab\n' >"$LAB/www/index.html"
  chmod -R 777 "$LAB/www" "$LAB/web-tmp"
  {
    cat <<END
user root;
worker_processes 2;
daemon off;
pid $LAB/run/web.pid;
error_log $LAB/log/web;
events { worker_connections 4096; }
http {
  log_format lab '\$msec \$remote_addr \$scheme \$host \$server_addr \$server_port \$status \$bytes_sent \$request_length \$request_method \$uri';
  access_log $LAB/log/access lab;
  types { }
  default_type application/octet-stream;
  keepalive_timeout 600s;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_temp_path $LAB/web-tmp/body;
  proxy_temp_path $LAB/web-tmp/proxy;
  fastcgi_temp_path $LAB/web-tmp/fastcgi;
  uwsgi_temp_path $LAB/web-tmp/uwsgi;
  scgi_temp_path $LAB/web-tmp/scgi;
  ssl_certificate $LAB/tls/server.crt;
  ssl_certificate_key $LAB/tls/server.key;
  ssl_protocols TLSv1.2 TLSv1.3;
END
    web_server '' X25519:prime256v1:secp384r1
    web_server twice.example.org secp384r1
    printf '}\n'
  } >"$LAB/web.conf"
  : >"$LAB/log/access"
  spawn web "$LAB_INTERNET" nginx -c "$LAB/web.conf" -p "$LAB" -e "$LAB/log/web"
}

# web_server NAME CURVES: nginx for that name, or for all other names of role web.
web_server() {
  local name family
  printf '  server {\n    ssl_ecdh_curve %s;\n' "$2"
  for name in "${!HOST_NUMBER[@]}"; do
    ((HOST_NUMBER[$name] <= WEB_LIMIT)) || continue
    [[ $name == "$1" || (-z $1 && $name != twice.example.org) ]] || continue
    for family in 4 6; do
      printf '    listen %s:%s;\n' "$(bracketed "$(address $family "$name")")" 80 \
        "$(bracketed "$(address $family "$name")")" '443 ssl' \
        "$(bracketed "$(address $family "$name")")" 8080
    done
  done
  cat <<END
    root $LAB/www;
    location /slow/ { alias $LAB/www/; limit_rate ${LAB_SLOW_RATE:-4m}; }
    location /upload/ { dav_methods PUT; }
  }
END
}

# make_file NAME SIZE: a file of the web servers with bytes that nothing can compress or mix up
# unnoticed. SIZE as in `head -c`.
make_file() { head -c "$2" /dev/urandom >"$LAB/www/$1"; }

start_sink() {
  : >"$LAB/log/sink-bytes"
  spawn sink "$LAB_INTERNET" python3 -I "$LAB_SCRIPTS/sink.py" \
    --log "$LAB/log/sink-bytes" --ready "$LAB/run/sink.ready" \
    --tcp "$SINK_TCP_PORTS" --udp "$SINK_UDP_PORTS" \
    "$(address 4 sink.example.org)" "$(address 6 sink.example.org)" \
    "$(address 4 sink.example.com)" "$(address 6 sink.example.com)"
}

# sink_bytes NAME: payload bytes that have reached that sink, over both families and all ports.
sink_bytes() {
  awk -v four="$(address 4 "$1")" -v six="$(address 6 "$1")" \
    '$2 == four || $2 == six { bytes += $4 } END { print bytes + 0 }' "$LAB/log/sink-bytes"
}

# served NAME FIELD: what nginx counted for a name. FIELD: requests, sent or received (bytes, HTTP
# heads included, TLS and IP not).
served() {
  awk -v four="$(address 4 "$1")" -v six="$(address 6 "$1")" -v field="$2" '
    $5 == four || $5 == six { requests++; sent += $8; received += $9 }
    END {
      value["requests"] = requests; value["sent"] = sent; value["received"] = received
      printf "%d\n", value[field]
    }' "$LAB/log/access"
}
