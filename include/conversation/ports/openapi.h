/* docs/openapi.json, compiled in by the build; empty when the file did not exist. */
#ifndef CONVERSATION_PORTS_OPENAPI_H
#define CONVERSATION_PORTS_OPENAPI_H

#include <stddef.h>

extern const char openapi_json[]; /* NUL-terminated */
extern const size_t openapi_json_len;

#endif
