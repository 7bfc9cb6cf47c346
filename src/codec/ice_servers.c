/* iceServers with TURN credentials. */
#include "conversation/codec/ice_servers.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define HMAC_SHA1_BYTES 20

static void write_urls(struct jsonw *w, const char *urls)
{
    struct str rest = str_of(urls);
    jsonw_key(w, "urls");
    jsonw_array(w);
    while (rest.p) {
        struct str url = str_trim(str_cut(&rest, ','), " ");
        if (url.n)
            jsonw_str(w, url);
    }
    jsonw_end_array(w);
}

static void write_timed_credential(struct jsonw *w, const struct ice_servers *s, const struct uuid *user,
                                   int64_t now_ms)
{
    char username[64];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_length = sizeof mac;
    char credential[4 * ((HMAC_SHA1_BYTES + 2) / 3) + 1];
    int n = snprintf(username, sizeof username, "%lld:%s", (long long)(now_ms / 1000 + s->ttl_seconds),
                     UUIDZ(user));
    HMAC(EVP_sha1(), s->secret, (int)strlen(s->secret), (const unsigned char *)username, (size_t)n, mac,
         &mac_length);
    EVP_EncodeBlock((unsigned char *)credential, mac, HMAC_SHA1_BYTES);
    jsonw_m_z(w, "username", username);
    jsonw_m_z(w, "credential", credential);
}

void ice_servers_write(struct jsonw *w, const struct ice_servers *s, const struct uuid *user, int64_t now_ms)
{
    jsonw_array(w);
    if (s->stun_urls[0]) {
        jsonw_object(w);
        write_urls(w, s->stun_urls);
        jsonw_end_object(w);
    }
    if (s->turn_urls[0]) {
        jsonw_object(w);
        write_urls(w, s->turn_urls);
        if (s->secret[0]) {
            write_timed_credential(w, s, user, now_ms);
        } else {
            jsonw_m_z_opt(w, "username", s->username);
            jsonw_m_z_opt(w, "credential", s->credential);
        }
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}
