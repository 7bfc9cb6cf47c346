/* The tickets of one decision: whom the index has paired one after the other, and who was tried and found
 * nobody; and the exchange of partners among them (docs/matchmaking.md, "Many at one moment"). Private to
 * domain/. */
#ifndef CONVERSATION_DOMAIN_PAIRING_BATCH_H
#define CONVERSATION_DOMAIN_PAIRING_BATCH_H

#include "pairing_index.h"

/* Room for partners that each member would like best: more make the exchange better, and slower. */
#define MEMBER_LIKES 12

struct like {
    uint16_t member;
    int16_t weight; /* the score and one, so that a pair without points is better than none */
};

struct member {
    struct ticket *ticket;
    uint8_t phase; /* in which it was tried: a paired ticket stands in no list any more */
    uint8_t like_count;
    bool is_settled;
    int16_t weight;                  /* of the pair it is in; 0 when alone */
    int32_t partner;                 /* < 0: none */
    struct like likes[MEMBER_LIKES]; /* the heaviest first */
};

/* Members 2n and 2n + 1 were found as a pair, those behind paired_count were left alone. */
struct batch {
    struct member *members;
    size_t count, paired_count, capacity;
    struct ticket **lone;
    size_t lone_count, lone_capacity;
};

void batch_done(struct batch *b);
void batch_clear(struct batch *b);
void batch_add_pair(struct batch *b, struct ticket *a, struct ticket *partner, int score);
void batch_add_lone(struct batch *b, struct ticket *t);

/* Exchanges partners while that adds to the total; nobody who has a partner ends without. */
void batch_exchange(struct batch *b, struct index *x, int64_t now_ms);

/* What each two may have together: a row for each member that was found in a pair, a column for each member;
 * 0: they may not meet, or were not looked at. Two that were left alone may not meet. */
struct wishes {
    int16_t *weights;
    size_t rows, columns;
};

/* Makes it, and the members' likes. */
void wishes_make(struct wishes *w, struct batch *b, struct index *x, int64_t now_ms);
void wishes_done(struct wishes *w);
static inline int wishes_weight(const struct wishes *w, size_t a, size_t b)
{
    return a < w->rows ? w->weights[a * w->columns + b] : b < w->rows ? w->weights[b * w->columns + a] : 0;
}

#endif
