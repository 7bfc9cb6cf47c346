/* Validation of what browsers exchange: session descriptions (RFC 8866) and ICE candidates (RFC 8839).
 * Nothing is rewritten: text that passes is relayed verbatim. Pure. */
#ifndef CONVERSATION_CODEC_SDP_H
#define CONVERSATION_CODEC_SDP_H

#include "conversation/base/err.h"
#include "conversation/base/str.h"

#define SDP_MAX_BYTES       (10 * 1024)
#define CANDIDATE_MAX_BYTES 1024

/* OK, or ERR_INVALID_SDP with *reason a static text. Wants: `<type>=<value>` lines ended by CRLF or LF, v=0
 * first, the required lines o, s, t in the order of RFC 8866 section 5, at least one m=, no control
 * characters, and for every m= section that is not rejected (port 0) a DTLS fingerprint and ICE ufrag and
 * pwd, of its own or of the session (RFC 8829). */
enum err sdp_check(struct str sdp, const char **reason) MUST_CHECK;

/* The first ICE ufrag (borrowed from `sdp`), {NULL,0} when absent: a new one starts a new negotiation. */
struct str sdp_ice_ufrag(struct str sdp);

/* `candidate` member of an RTCIceCandidateInit: empty (end of candidates) or the candidate-attribute grammar
 * of RFC 8839 section 5.1, with or without "a=". OK, or ERR_INVALID_CANDIDATE with *reason. */
enum err ice_candidate_check(struct str candidate, const char **reason) MUST_CHECK;

#endif
