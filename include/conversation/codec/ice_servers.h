/* The iceServers of an RTCConfiguration (W3C WebRTC, section 4.2.4), with credentials for TURN: fixed ones,
 * or time-limited ones of a shared secret as coturn's REST API expects (draft-uberti-behave-turn-rest-00):
 * username "expiry:user", credential base64(HMAC-SHA1(secret, username)). */
#ifndef CONVERSATION_CODEC_ICE_SERVERS_H
#define CONVERSATION_CODEC_ICE_SERVERS_H

#include <stdint.h>

#include "conversation/base/jsonw.h"

struct ice_servers {
    const char *stun_urls, *turn_urls; /* comma-separated; "" for none */
    const char *username, *credential; /* fixed; "" for none */
    const char *secret;                /* wins over the fixed ones; "" for none */
    int ttl_seconds;
};

/* Writes the array. `user` names the user the credentials are made for. */
void ice_servers_write(struct jsonw *w, const struct ice_servers *servers, const struct uuid *user,
                       int64_t now_ms);

#endif
