/* CEFR levels and the subscription tier. */
#ifndef CONVERSATION_DOMAIN_LEVEL_H
#define CONVERSATION_DOMAIN_LEVEL_H

#include <stdbool.h>

#include "conversation/base/str.h"

enum level { LEVEL_A1, LEVEL_A2, LEVEL_B1, LEVEL_B2, LEVEL_C1, LEVEL_C2, LEVEL_COUNT };
enum tier { TIER_FREE, TIER_PREMIUM };

extern const char *const level_names[]; /* "A1"…"C2", NULL-terminated */
extern const char *const tier_names[];  /* "free", "premium", NULL-terminated */

bool level_parse(struct str text, enum level *out); /* exact, upper case */
enum level level_mean(enum level a, enum level b);  /* rounded half up */

/* A language code fits "es", "pt-BR", "zh-Hant"; a topic code "restaurant.ordering". */
#define LANG_MAX       12
#define TOPIC_MAX      64
#define ACCENT_MAX     16
#define NAME_MAX_BYTES 200

bool language_code_is_valid(struct str s); /* BCP 47 subset: 2-3 letters, then -subtags; fits LANG_MAX */
bool topic_code_is_valid(struct str s);    /* [a-z0-9_]+(\.[a-z0-9_]+)*, fits TOPIC_MAX */

/* "es" of "es-MX": the language without its region; borrowed. */
struct str language_base(struct str code);
/* "es" from "es-MX": what "same language" means for tandem and native languages. */
bool language_is_same(const char *a, const char *b);

#endif
