/* URLs, as far as the configuration and claims need them judged (RFC 3986). */
#ifndef CONVERSATION_BASE_URL_H
#define CONVERSATION_BASE_URL_H

#include <stdbool.h>

#include "conversation/base/str.h"

/* Nothing but the visible characters of ASCII: fit for a header or a URL. "" is. */
bool url_text_is_visible(struct str s);

/* http://HOST or https://HOST, with or without :PORT and a path, so that a path can be added: no query, no
 * fragment, and no user, which would be a secret in the open. */
bool url_is_base(struct str url);

#endif
