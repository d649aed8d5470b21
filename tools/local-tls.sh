#!/bin/sh
# Creates a certificate for localhost in dist/tls (OUT), and an authority that signs it. The authority stays the same, so a
# browser or a system has to trust it once; it can sign no other host name. Needs openssl.
set -eu
umask 077
out=${OUT:-dist/tls}
command -v openssl >/dev/null || { echo "make tls needs openssl" >&2; exit 1; }
mkdir -p "$out"
cd "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }; }

# A new authority only if there is none, or if it ends before the certificate would.
if ! openssl x509 -checkend $((91 * 86400)) -noout -in ca.crt >/dev/null 2>&1 || [ ! -f ca.key ]; then
  key ca.key
  cat > "$work/ca.cnf" <<'END'
[req]
distinguished_name = name
prompt = no
x509_extensions = authority
[name]
CN = Tally, local development
[authority]
# Not by address as well: BoringSSL, which Bun and others use, refuses a constraint that it does not know.
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
nameConstraints = critical, permitted;DNS:localhost
END
  openssl req -x509 -new -key ca.key -days 730 -config "$work/ca.cnf" -out ca.crt
fi

key "$work/tls.key"
cat > "$work/leaf.cnf" <<'END'
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
END
openssl req -new -key "$work/tls.key" -subj /CN=localhost -out "$work/tls.csr"
openssl x509 -req -in "$work/tls.csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" -days 90 \
  -extfile "$work/leaf.cnf" -out "$work/tls.crt" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
openssl verify -CAfile ca.crt "$work/tls.crt" >/dev/null
# Together, because a running service reloads them.
mv "$work/tls.key" tls.key
mv "$work/tls.crt" tls.crt
chmod 644 ca.crt tls.crt
cat <<END
$out/tls.crt and $out/tls.key, for 90 days; $out/ca.crt is the authority to trust. Start with them:
    make dev TLS_CERT=$out/tls.crt TLS_KEY=$out/tls.key
    curl --cacert $out/ca.crt https://localhost:8000/health
END
