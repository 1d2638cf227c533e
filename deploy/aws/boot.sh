#!/usr/bin/env bash
# An EC2 instance's first start: the data volume, what this node is called, Apache Kafka, its password and its certificate.
#
#   boot.sh            all of it; may be repeated
#   boot.sh password   sets the password that Secrets Manager has now
#
# /etc/kafka/boot.env has what the stack knows (REGION, VOLUME_ID, …).
set -euo pipefail
umask 027
# shellcheck source=/dev/null
. /etc/kafka/boot.env

# The volume by its id, as the name of its device differs between instance types.
volume() {
  local device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${VOLUME_ID/-/} until=$((SECONDS + 120))
  until [[ -b $device ]]; do
    ((SECONDS < until)) || { echo "the volume $VOLUME_ID is not attached" >&2; return 1; }
    sleep 1
  done
  if ! blkid "$device" >/dev/null; then
    mkfs.xfs -q "$device"
  fi
  mkdir -p /var/lib/kafka
  if ! grep -q ' /var/lib/kafka ' /etc/fstab; then
    echo "UUID=$(blkid -s UUID -o value "$device") /var/lib/kafka xfs noatime,nofail 0 2" >>/etc/fstab
    systemctl daemon-reload
  fi
  mountpoint -q /var/lib/kafka || mount /var/lib/kafka
  # A volume from a snapshot may be larger than the file system that it has.
  xfs_growfs /var/lib/kafka >/dev/null
}

metadata() {
  local token
  token=$(curl -fsS --retry 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
  curl -fsS --retry 5 -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}

node() {
  id kafka >/dev/null 2>&1 || useradd --system --home-dir /opt/kafka --no-create-home --shell /sbin/nologin kafka
  echo "PUBLIC_NAME=${PUBLIC_NAME:-$(metadata public-hostname)}" >/etc/kafka/node.env
  if [[ -n ${CERTIFICATE_SECRET:-} ]]; then
    local part
    for part in key pem ca; do
      secret "$CERTIFICATE_SECRET" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$part" \
        >"/etc/kafka/given.$part"
    done
    mv /etc/kafka/given.ca /etc/kafka/given-ca.pem
  fi
  chown -R root:kafka /etc/kafka /opt/kafka
  chown -R kafka:kafka /var/lib/kafka
  chmod 755 /opt/kafka/node.sh
}

secret() { aws secretsmanager get-secret-value --region "$REGION" --secret-id "$1" --query SecretString --output text; }

password() {
  local credentials
  credentials=$(mktemp)
  # shellcheck disable=SC2064 # the name of now
  trap "rm -f '$credentials'" EXIT
  secret "$PASSWORD_SECRET" >"$credentials"
  /opt/kafka/node.sh password "$credentials"
}

# The authority's certificate, which is public, to where clients fetch it.
publish() {
  aws ssm put-parameter --region "$REGION" --name "$CA_PARAMETER" --type String --overwrite \
    --value "$(</var/lib/kafka/tls/ca.pem)" >/dev/null
}

if [[ ${1:-} == password ]]; then
  password
  exit
fi
volume
node
/opt/kafka/node.sh fetch
systemctl daemon-reload
systemctl enable --now kafka.service
/opt/kafka/node.sh ready
password
publish
