/* Texts about a learner that end up on the partner's screen, wherever they come from. Private to the codecs.
 * What makes no sense is left out (""): an avatar's URL must not keep anybody from practising. */
#ifndef CODEC_LEARNER_TEXT_H
#define CODEC_LEARNER_TEXT_H

#include "conversation/base/str.h"

/* "" when it holds a control character (C0 and DEL); a long one is cut between code points. */
void learner_copy_name(struct str name, char *dst, size_t cap);
/* "" when it is no language code or does not fit. */
void learner_copy_language(struct str code, char *dst, size_t cap);
/* Partners' browsers load it: nothing but http and https, and only the visible ASCII that a URL is made of
 * (RFC 3986); else "". */
void learner_copy_url(struct str url, char *dst, size_t cap);

#endif
