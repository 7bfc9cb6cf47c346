/* A set-associative table: the digest's first bytes choose the set, and within it the digest is compared
 * whole. What a token says is kept packed, for an identity's texts are mostly short. */
#include "conversation/codec/token_cache.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "conversation/codec/token.h"
#include "token_claims.h"

#define WAYS_MAX     8
#define DIGEST_BYTES 32

/* An identity without what it does not use: the levels, then the texts with their NULs. */
struct packed {
    struct uuid user_id;
    int64_t not_before_ms, expires_at_ms;
    unsigned roles;
    enum tier tier;
    int level_count;
    char rest[];
};

struct entry {
    unsigned char digest[DIGEST_BYTES];
    struct packed *who; /* NULL: free */
    uint64_t used_at;   /* of the cache's clock */
};

struct token_cache {
    struct entry *entries; /* set_count * ways */
    size_t set_count, ways;
    uint64_t clock; /* lookups so far */
    EVP_MD *sha256; /* fetched once: looking the algorithm up costs as much as a short digest */
    EVP_MD_CTX *digest;
};

/* --- packing --- */

static char *put(char *at, const void *from, size_t n)
{
    memcpy(at, from, n);
    return at + n;
}

static const char *take_text(const char *at, char *to)
{
    size_t n = strlen(at) + 1;
    memcpy(to, at, n);
    return at + n;
}

static struct packed *pack(const struct identity *who)
{
    const char *const texts[] = {who->display_name, who->avatar_url, who->native_language, who->accent};
    size_t levels_bytes = sizeof who->levels[0] * (size_t)who->level_count, n = levels_bytes;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        n += strlen(texts[i]) + 1;
    struct packed *p = malloc(sizeof *p + n);
    if (!p)
        abort();
    *p = (struct packed){
        .user_id = who->user_id,
        .not_before_ms = who->not_before_ms,
        .expires_at_ms = who->expires_at_ms,
        .roles = who->roles,
        .tier = who->tier,
        .level_count = who->level_count,
    };
    char *at = put(p->rest, who->levels, levels_bytes);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        at = put(at, texts[i], strlen(texts[i]) + 1);
    return p;
}

static void unpack(const struct packed *p, struct identity *out)
{
    *out = (struct identity){
        .user_id = p->user_id,
        .not_before_ms = p->not_before_ms,
        .expires_at_ms = p->expires_at_ms,
        .roles = p->roles,
        .tier = p->tier,
        .level_count = p->level_count,
    };
    size_t levels_bytes = sizeof out->levels[0] * (size_t)p->level_count;
    memcpy(out->levels, p->rest, levels_bytes);
    const char *at = p->rest + levels_bytes;
    at = take_text(at, out->display_name);
    at = take_text(at, out->avatar_url);
    at = take_text(at, out->native_language);
    (void)take_text(at, out->accent);
}

/* --- the table --- */

struct token_cache *token_cache_new(size_t entries)
{
    struct token_cache *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->ways = entries < WAYS_MAX ? entries : WAYS_MAX;
    c->set_count = entries / c->ways;
    c->entries = calloc(c->set_count * c->ways, sizeof *c->entries);
    c->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    c->digest = EVP_MD_CTX_new();
    if (!c->entries || !c->sha256 || !c->digest)
        abort();
    return c;
}

void token_cache_free(struct token_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->set_count * c->ways; i++)
        free(c->entries[i].who);
    free(c->entries);
    EVP_MD_free(c->sha256);
    EVP_MD_CTX_free(c->digest);
    free(c);
}

static void digest_of(struct token_cache *c, struct str token, unsigned char out[DIGEST_BYTES])
{
    if (EVP_DigestInit_ex2(c->digest, c->sha256, NULL) != 1 ||
        EVP_DigestUpdate(c->digest, token.p, token.n) != 1 || EVP_DigestFinal_ex(c->digest, out, NULL) != 1)
        abort(); /* a digest over memory fails for want of memory only */
}

static struct entry *set_of(const struct token_cache *c, const unsigned char digest[DIGEST_BYTES])
{
    uint64_t n;
    memcpy(&n, digest, sizeof n);
    return &c->entries[n % c->set_count * c->ways];
}

static struct entry *find(const struct token_cache *c, const unsigned char digest[DIGEST_BYTES])
{
    struct entry *set = set_of(c, digest);
    for (size_t i = 0; i < c->ways; i++)
        if (set[i].who && memcmp(set[i].digest, digest, DIGEST_BYTES) == 0)
            return &set[i];
    return NULL;
}

bool token_cache_find(struct token_cache *c, struct str token, int64_t leeway_ms, int64_t now_ms,
                      struct identity *out)
{
    unsigned char digest[DIGEST_BYTES];
    if (token.n > TOKEN_MAX_BYTES)
        return false;
    digest_of(c, token, digest);
    struct entry *e = find(c, digest);
    if (!e || token_check_times(e->who->not_before_ms, e->who->expires_at_ms, leeway_ms, now_ms))
        return false;
    e->used_at = ++c->clock;
    unpack(e->who, out);
    return true;
}

/* The token itself if it is there (out of its time when it came, say), else a free entry, else the one not
 * used for longest. */
static struct entry *entry_for(const struct token_cache *c, const unsigned char digest[DIGEST_BYTES])
{
    struct entry *best = find(c, digest), *set = set_of(c, digest);
    for (size_t i = 0; !best && i < c->ways; i++)
        best = set[i].who ? NULL : &set[i];
    if (best)
        return best;
    best = set;
    for (size_t i = 1; i < c->ways; i++)
        best = set[i].used_at < best->used_at ? &set[i] : best;
    return best;
}

void token_cache_add(struct token_cache *c, struct str token, const struct identity *who)
{
    unsigned char digest[DIGEST_BYTES];
    digest_of(c, token, digest);
    struct entry *e = entry_for(c, digest);
    free(e->who);
    memcpy(e->digest, digest, sizeof digest);
    e->who = pack(who);
    e->used_at = ++c->clock;
}
