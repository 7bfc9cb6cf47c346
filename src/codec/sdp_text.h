/* Words that session descriptions and ICE candidates are made of (RFC 8866 section 9, RFC 8839 section 5.1).
 * Private to codec/. */
#ifndef CONVERSATION_CODEC_SDP_TEXT_H
#define CONVERSATION_CODEC_SDP_TEXT_H

#include "conversation/base/str.h"

/* The next word; {NULL,0} when there is none, empty between two spaces or after the last one. */
static inline struct str sdp_next_word(struct str *rest)
{
    return str_cut(rest, ' ');
}

/* None of these takes an empty word, but for visible and ICE characters, which only say what is not in it. */
bool sdp_is_token(struct str s);
bool sdp_is_ice_chars(struct str s);
bool sdp_is_visible(struct str s);
bool sdp_is_digits(struct str s);
bool sdp_is_port(struct str s);
bool sdp_is_address(struct str s); /* IPv4, IPv6, or a host name, such as the mDNS names browsers make up */

#endif
