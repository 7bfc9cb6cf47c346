/* The trusted keys and what they can verify. Private to the token codec. */
#ifndef CODEC_TOKEN_KEYS_H
#define CODEC_TOKEN_KEYS_H

#include <openssl/evp.h>

#include "conversation/base/arena.h"

#define TOKEN_KEYS_MAX 16

enum key_kind { KEY_UNSUPPORTED, KEY_RSA, KEY_P256, KEY_P384, KEY_P521 };

struct token_key {
    const char *kid; /* NULL: unnamed */
    EVP_PKEY *public_key;
    enum key_kind kind;
};

struct token_keys {
    struct token_key items[TOKEN_KEYS_MAX];
    int count;
    EVP_MD_CTX *digest; /* used again for each verification: the loop thread's only */
    struct arena names;
};

/* NULL when `signature` over `signed_text` is right for algorithm `alg` and a key that `kid` ({NULL,0}: none)
 * admits; else why not, a static text. */
const char *token_check_signature(const struct token_keys *keys, struct str alg, struct str kid,
                                  struct str signed_text, struct str signature);

#endif
