# The dev key pair, shared by deploy/dev/run and deploy/dev/token. Sourced; needs openssl only.

# ensure_key_pair PRIVATE_PEM: makes an RSA key pair, PRIVATE_PEM and its public half beside it, unless it
# is there. Two callers at once agree on one: the first link(2) wins.
ensure_key_pair()
{
    local private=$1 public=${1%.pem}.pub.pem
    mkdir -p "$(dirname "$private")"
    if [ ! -s "$private" ]; then
        (umask 077 && openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$private.$$") || return 1
        ln "$private.$$" "$private" 2>/dev/null || true
        rm -f "$private.$$"
    fi
    if [ ! -s "$public" ]; then
        openssl pkey -in "$private" -pubout -out "$public.$$" && mv "$public.$$" "$public"
    fi
}
