#!/usr/bin/env bash
# Apache Kafka as one node that others reach by SASL_SSL and SCRAM-SHA-512 alone.
#
#   node.sh fetch           the jars of libs.sha256 from Maven Central, each by its checksum (all but Kafka Connect's)
#   node.sh prepare         certificates, configuration, and once the format of the data directory
#   node.sh run             Apache Kafka, in the foreground
#   node.sh ready           waits until it serves
#   node.sh password FILE   sets the user's password; FILE is {"username": …, "password": …}
#   node.sh tool CLASS …    one of Apache Kafka's tools, such as org.apache.kafka.tools.TopicCommand;
#                           127.0.0.1:9094 needs no password, and nobody but this machine reaches it
#
# /etc/kafka/node.env says what is this node's own (PUBLIC_NAME, and what stands below with a default). All state is in
# /var/lib/kafka: data/ and tls/. Each step may be repeated; KAFKA_ROOT puts all of it somewhere else.
set -euo pipefail
umask 027

root=${KAFKA_ROOT:-}
home=$root/opt/kafka
config=$root/etc/kafka
state=$root/var/lib/kafka

if [[ -r $config/node.env ]]; then
  # shellcheck source=/dev/null
  . "$config/node.env"
fi
maven=${MAVEN:-https://repo1.maven.org/maven2}
listen=${LISTEN:-}
port=${PORT:-9092}
controller_port=${CONTROLLER_PORT:-9093}
internal_port=${INTERNAL_PORT:-9094}

fetch() {
  if (cd "$home/libs" 2>/dev/null && names | sha256sum --check --quiet 2>/dev/null); then
    return
  fi
  rm -rf "$home/libs.part"
  mkdir -p "$home/libs.part"
  while read -r _ path; do
    printf 'url = "%s/%s"\noutput = "%s"\n' "$maven" "$path" "$home/libs.part/${path##*/}"
  done <"$home/libs.sha256" |
    curl --fail --silent --show-error --location --retry 5 --parallel --parallel-max 8 --config -
  (cd "$home/libs.part" && names | sha256sum --check --quiet)
  rm -rf "$home/libs"
  mv "$home/libs.part" "$home/libs"
  chmod -R a+rX "$home/libs"
}

# The checksums, with the file's name in place of its path.
names() { sed 's|  .*/|  |' "$home/libs.sha256"; }

tool() { java -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$home/libs/*" "$@"; }

# An authority of this node's own, once; a certificate by it, anew when the name is another or it is about to expire.
# With given.key and given.pem (and given-ca.pem, the authority's) in /etc/kafka, those are used as they are.
certificates() {
  local tls=$state/tls
  mkdir -p "$tls"
  if [[ -r $config/given.pem ]]; then
    cat "$config/given.key" "$config/given.pem" >"$tls/keystore.pem"
    cat "$config/given-ca.pem" >"$tls/ca.pem"
    return
  fi
  if [[ ! -s $tls/ca.pem || ! -s $tls/ca.key ]]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -sha256 \
      -subj "/CN=Apache Kafka at $PUBLIC_NAME" -addext 'keyUsage=critical,keyCertSign,cRLSign' \
      -keyout "$tls/ca.key" -out "$tls/ca.pem" 2>/dev/null
  fi
  if [[ -s $tls/node.pem ]] && openssl x509 -in "$tls/node.pem" -noout -checkend $((30 * 86400)) >/dev/null &&
    [[ $(<"$tls/node.name") == "$PUBLIC_NAME" ]]; then
    return
  fi
  local kind=DNS
  [[ $PUBLIC_NAME =~ ^[0-9.]+$ ]] && kind=IP
  printf '%s\n' "subjectAltName=$kind:$PUBLIC_NAME" basicConstraints=critical,CA:FALSE \
    keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth >"$tls/node.ext"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -subj "/CN=Apache Kafka" \
    -keyout "$tls/node.key" -out "$tls/node.csr" 2>/dev/null
  openssl x509 -req -in "$tls/node.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 397 -sha256 \
    -extfile "$tls/node.ext" -out "$tls/node.pem" 2>/dev/null
  cat "$tls/node.key" "$tls/node.pem" "$tls/ca.pem" >"$tls/keystore.pem"
  printf '%s' "$PUBLIC_NAME" >"$tls/node.name"
}

# What every node has, then what is this one's: of two lines with one name the later holds.
configuration() {
  cat "$home/server.properties"
  cat <<PROPERTIES

node.id=1
listeners=SASL_SSL://$listen:$port,INTERNAL://127.0.0.1:$internal_port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=SASL_SSL://$PUBLIC_NAME:$port,INTERNAL://127.0.0.1:$internal_port
listener.security.protocol.map=SASL_SSL:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INTERNAL
controller.quorum.bootstrap.servers=127.0.0.1:$controller_port
log.dirs=$state/data
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location=$state/tls/keystore.pem
auto.create.topics.enable=false
PROPERTIES
  if [[ -r $config/extra.properties ]]; then
    cat "$config/extra.properties"
  fi
}

prepare() {
  : "${PUBLIC_NAME:?not in $config/node.env}"
  mkdir -p "$state/data" "$config"
  certificates
  configuration >"$state/server.properties"
  if [[ ! -e $state/data/meta.properties ]]; then
    tool kafka.tools.StorageTool format --standalone -t "$(tool kafka.tools.StorageTool random-uuid | tail -n 1)" \
      -c "$state/server.properties"
  fi
}

# A quarter of the memory for the heap: the rest is the page cache, which is where Kafka's speed comes from.
run() {
  local heap_mib
  heap_mib=$(awk '/^MemTotal/ { print int($2 / 4096) }' /proc/meminfo)
  heap_mib=$((heap_mib < 512 ? 512 : heap_mib > 6144 ? 6144 : heap_mib))
  exec java "-Xms${heap_mib}m" "-Xmx${heap_mib}m" -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
    -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true \
    -cp "$home/libs/*" kafka.Kafka "$state/server.properties"
}

ready() {
  local until=$((SECONDS + 180))
  until (exec 3<>"/dev/tcp/127.0.0.1/$internal_port") 2>/dev/null; do
    ((SECONDS < until)) || return 1
    sleep 1
  done
  tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$internal_port" --list >/dev/null
}

# By a file, as a command line is for everyone on the machine to see.
password() {
  local secret
  secret=$(mktemp)
  # shellcheck disable=SC2064 # the name of now
  trap "rm -f '$secret'" EXIT
  python3 -c 'import json, sys; print("SCRAM-SHA-512=iterations=8192,password=" + json.load(sys.stdin)["password"])' \
    <"$1" >"$secret"
  tool kafka.admin.ConfigCommand --bootstrap-server "127.0.0.1:$internal_port" --alter --entity-type users \
    --entity-name "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["username"])' <"$1")" \
    --add-config-file "$secret"
}

case ${1:-} in
fetch | prepare | run | ready | password | tool) "$@" ;;
*)
  sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
