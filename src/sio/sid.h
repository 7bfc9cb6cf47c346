/* Session and socket ids as clients see them: 15 random bytes in base64url (RFC 4648 section 5). */
#ifndef SIO_SID_H
#define SIO_SID_H

#include <stdbool.h>

#include "conversation/base/uuid.h"

#define SID_LENGTH 20

/* A new id, and its text. 114 bits are random; the last byte of the key is 0. */
struct uuid sid_random(char text[SID_LENGTH + 1]);
void sid_format(const struct uuid *key, char text[SID_LENGTH + 1]);
bool sid_parse(struct str text, struct uuid *key);

#endif
