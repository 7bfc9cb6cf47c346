/* Nodes 1 … n are the vertices, those above are blossoms: odd cycles of nodes, contracted; 0 is "none". Every
 * node stands in exactly one outermost one. The duals stay feasible: for every edge, the duals of its
 * vertices sum to at least twice its weight, apart from what the blossoms around both contribute. A stage
 * grows alternating trees from all free nodes along tight edges until two meet (one more pair) or no dual of
 * an even vertex is left (nothing to gain by more pairs). */
#include "matchsim/blossom.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct edge {
    uint16_t a, b; /* vertices; a is 0 where there is no edge */
};

enum label { FREE = -1, EVEN, ODD };

struct node {
    int outer;        /* outermost node around it; 0: an unused blossom */
    int mate;         /* the vertex it is matched to; 0: none */
    int parent;       /* vertex in the tree's node above, for odd nodes */
    int best;         /* even vertex with the least slack to this outermost node; 0: none */
    int mark;         /* of the last search for a common ancestor */
    enum label label; /* of an outermost node */
    int64_t dual;
    int *petals; /* of a blossom: the cycle's nodes from its base on */
    int petal_count;
    uint16_t *petal_with; /* of a blossom: for each vertex, the petal that holds it, 0: none */
};

struct solver {
    const int32_t *weights;
    int n, top, capacity; /* vertices, the highest node in use, the highest there may be */
    struct node *nodes;
    struct edge *edges; /* between any two nodes: the tightest edge of their vertices */
    int *queue;         /* even vertices whose edges are yet to be looked at */
    int queue_head, queue_tail;
    int mark;
};

static void *new_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

static struct edge *edge_between(const struct solver *s, int x, int y)
{
    return &s->edges[(size_t)x * (size_t)(s->capacity + 1) + (size_t)y];
}

static int64_t weight_of(const struct solver *s, int a, int b)
{
    return s->weights[(size_t)(a - 1) * (size_t)s->n + (size_t)(b - 1)];
}

static int64_t slack_of(const struct solver *s, const struct edge *e)
{
    return s->nodes[e->a].dual + s->nodes[e->b].dual - 2 * weight_of(s, e->a, e->b);
}

static struct node *outer_of(const struct solver *s, int x)
{
    return &s->nodes[s->nodes[x].outer];
}

/* --- slack --- */

static void offer_best(struct solver *s, int vertex, int x)
{
    struct node *node = &s->nodes[x];
    if (!node->best || slack_of(s, edge_between(s, vertex, x)) < slack_of(s, edge_between(s, node->best, x)))
        node->best = vertex;
}

static void find_best(struct solver *s, int x)
{
    s->nodes[x].best = 0;
    for (int v = 1; v <= s->n; v++)
        if (edge_between(s, v, x)->a && s->nodes[v].outer != x && outer_of(s, v)->label == EVEN)
            offer_best(s, v, x);
}

static void push(struct solver *s, int x)
{
    if (x <= s->n) {
        assert(s->queue_tail < 2 * s->n);
        s->queue[s->queue_tail++] = x;
        return;
    }
    for (int i = 0; i < s->nodes[x].petal_count; i++)
        push(s, s->nodes[x].petals[i]);
}

static void set_outer(struct solver *s, int x, int outer)
{
    s->nodes[x].outer = outer;
    for (int i = 0; x > s->n && i < s->nodes[x].petal_count; i++)
        set_outer(s, s->nodes[x].petals[i], outer);
}

/* --- blossoms --- */

static void reverse(int *p, int n)
{
    for (int i = 0; i < n / 2; i++) {
        int kept = p[i];
        p[i] = p[n - 1 - i];
        p[n - 1 - i] = kept;
    }
}

/* Where the petal is in the cycle, which is turned round if need be so that the way from the base has an even
 * number of steps. */
static int even_way(struct node *blossom, int petal)
{
    int i = 0;
    while (blossom->petals[i] != petal)
        i++;
    if (i % 2 == 0)
        return i;
    reverse(blossom->petals + 1, blossom->petal_count - 1);
    return blossom->petal_count - i;
}

static void rotate(int *p, int n, int by)
{
    reverse(p, by);
    reverse(p + by, n - by);
    reverse(p, n);
}

/* Matches node x along its edge to node y; within a blossom, the cycle is matched around the new base. */
static void set_mate(struct solver *s, int x, int y)
{
    struct node *node = &s->nodes[x];
    const struct edge e = *edge_between(s, x, y);
    node->mate = e.b;
    if (x <= s->n)
        return;
    int base = node->petal_with[e.a], steps = even_way(node, base);
    for (int i = 0; i < steps; i++)
        set_mate(s, node->petals[i], node->petals[i ^ 1]);
    set_mate(s, base, y);
    rotate(node->petals, node->petal_count, steps);
}

/* From outermost node x, newly matched to y, up to the root of x's tree. */
static void augment(struct solver *s, int x, int y)
{
    for (;;) {
        int mate = s->nodes[x].mate, above = mate ? s->nodes[mate].outer : 0;
        set_mate(s, x, y);
        if (!above)
            return;
        int next = s->nodes[s->nodes[above].parent].outer;
        set_mate(s, above, next);
        x = next;
        y = above;
    }
}

/* The outermost even node two steps above, 0 above a root. */
static int grandparent(const struct solver *s, int x)
{
    int mate = s->nodes[x].mate;
    return mate ? s->nodes[outer_of(s, mate)->parent].outer : 0;
}

/* 0: the two are in different trees. */
static int common_ancestor(struct solver *s, int x, int y)
{
    s->mark++;
    while (x || y) {
        if (x) {
            if (s->nodes[x].mark == s->mark)
                return x;
            s->nodes[x].mark = s->mark;
            x = grandparent(s, x);
        }
        int kept = x;
        x = y;
        y = kept;
    }
    return 0;
}

static void add_petal(struct node *blossom, int x)
{
    blossom->petals[blossom->petal_count++] = x;
}

/* The nodes from x up to below `base`; the odd ones among them become even. */
static void add_branch(struct solver *s, struct node *blossom, int x, int base)
{
    while (x != base) {
        int odd = s->nodes[s->nodes[x].mate].outer;
        add_petal(blossom, x);
        add_petal(blossom, odd);
        push(s, odd);
        x = s->nodes[s->nodes[odd].parent].outer;
    }
}

/* The tightest edges of the blossom's petals become its own. */
static void join_edges(struct solver *s, int b)
{
    struct node *blossom = &s->nodes[b];
    for (int x = 1; x <= s->top; x++)
        edge_between(s, b, x)->a = edge_between(s, x, b)->a = 0;
    memset(blossom->petal_with, 0, (size_t)(s->n + 1) * sizeof *blossom->petal_with);
    for (int i = 0; i < blossom->petal_count; i++) {
        int petal = blossom->petals[i];
        for (int x = 1; x <= s->top; x++) {
            struct edge *own = edge_between(s, b, x), *of_petal = edge_between(s, petal, x);
            if (!of_petal->a || (own->a && slack_of(s, own) <= slack_of(s, of_petal)))
                continue;
            *own = *of_petal;
            *edge_between(s, x, b) = *edge_between(s, x, petal);
        }
        for (int v = 1; v <= s->n; v++)
            if (v == petal || (petal > s->n && s->nodes[petal].petal_with[v]))
                blossom->petal_with[v] = (uint16_t)petal;
    }
}

static int unused_blossom(struct solver *s)
{
    int b = s->n + 1;
    while (b <= s->top && s->nodes[b].outer)
        b++;
    if (b > s->top)
        s->top = b;
    assert(b <= s->capacity);
    if (!s->nodes[b].petals) {
        s->nodes[b].petals = new_array((size_t)s->n + 1, sizeof(int));
        s->nodes[b].petal_with = new_array((size_t)s->n + 1, sizeof(uint16_t));
    }
    return b;
}

static void contract(struct solver *s, int x, int base, int y)
{
    int b = unused_blossom(s);
    struct node *blossom = &s->nodes[b];
    blossom->dual = 0;
    blossom->label = EVEN;
    blossom->mate = s->nodes[base].mate;
    blossom->parent = s->nodes[base].parent;
    blossom->petal_count = 0;
    add_petal(blossom, base);
    add_branch(s, blossom, x, base);
    reverse(blossom->petals + 1, blossom->petal_count - 1);
    add_branch(s, blossom, y, base);
    set_outer(s, b, b);
    join_edges(s, b);
    find_best(s, b);
}

/* An odd blossom without dual is taken apart; the even way through it stays in the tree. */
static void expand(struct solver *s, int b)
{
    struct node *blossom = &s->nodes[b];
    for (int i = 0; i < blossom->petal_count; i++)
        set_outer(s, blossom->petals[i], blossom->petals[i]);
    int entry = blossom->petal_with[edge_between(s, b, blossom->parent)->a];
    int steps = even_way(blossom, entry);
    for (int i = 0; i < steps; i += 2) {
        int odd = blossom->petals[i], even = blossom->petals[i + 1];
        s->nodes[odd].parent = edge_between(s, even, odd)->a;
        s->nodes[odd].label = ODD;
        s->nodes[odd].best = 0;
        s->nodes[even].label = EVEN;
        find_best(s, even);
        push(s, even);
    }
    s->nodes[entry].label = ODD;
    s->nodes[entry].parent = blossom->parent;
    s->nodes[entry].best = 0;
    for (int i = steps + 1; i < blossom->petal_count; i++) {
        s->nodes[blossom->petals[i]].label = FREE;
        find_best(s, blossom->petals[i]);
    }
    blossom->outer = 0;
}

/* --- a stage --- */

/* Whether a tight edge from an even node made one more pair. */
static bool follow(struct solver *s, const struct edge *e)
{
    int x = s->nodes[e->a].outer, y = s->nodes[e->b].outer;
    if (s->nodes[y].label == FREE) {
        int mate = s->nodes[s->nodes[y].mate].outer;
        s->nodes[y].parent = e->a;
        s->nodes[y].label = ODD;
        s->nodes[y].best = s->nodes[mate].best = 0;
        s->nodes[mate].label = EVEN;
        push(s, mate);
    } else if (s->nodes[y].label == EVEN) {
        int base = common_ancestor(s, x, y);
        if (!base) {
            augment(s, x, y);
            augment(s, y, x);
            return true;
        }
        contract(s, x, base, y);
    }
    return false;
}

static bool is_outermost(const struct solver *s, int x)
{
    return s->nodes[x].outer == x;
}

static bool search_queue(struct solver *s)
{
    while (s->queue_head < s->queue_tail) {
        int u = s->queue[s->queue_head++];
        if (outer_of(s, u)->label == ODD)
            continue;
        for (int v = 1; v <= s->n; v++) {
            const struct edge *e = edge_between(s, u, v);
            if (!e->a || s->nodes[u].outer == s->nodes[v].outer)
                continue;
            if (slack_of(s, e) > 0)
                offer_best(s, u, s->nodes[v].outer);
            else if (follow(s, e))
                return true;
        }
    }
    return false;
}

/* How far the duals can change before something new is tight. */
static int64_t dual_step(const struct solver *s)
{
    int64_t step = INT64_MAX;
    for (int x = 1; x <= s->top; x++) {
        const struct node *node = &s->nodes[x];
        if (!is_outermost(s, x))
            continue;
        int64_t limit = INT64_MAX;
        if (x > s->n && node->label == ODD)
            limit = node->dual / 2;
        if (limit < step)
            step = limit;
        if (!node->best || node->label == ODD)
            continue;
        limit = slack_of(s, edge_between(s, node->best, x)) / (node->label == EVEN ? 2 : 1);
        if (limit < step)
            step = limit;
    }
    return step;
}

/* False: an even vertex has no dual left, so that the matching is as heavy as can be. */
static bool change_duals(struct solver *s, int64_t step)
{
    for (int v = 1; v <= s->n; v++)
        if (outer_of(s, v)->label == EVEN && s->nodes[v].dual <= step)
            return false;
    for (int v = 1; v <= s->n; v++) {
        enum label label = outer_of(s, v)->label;
        if (label != FREE)
            s->nodes[v].dual += label == EVEN ? -step : step;
    }
    for (int b = s->n + 1; b <= s->top; b++)
        if (is_outermost(s, b) && s->nodes[b].label != FREE)
            s->nodes[b].dual += s->nodes[b].label == EVEN ? 2 * step : -2 * step;
    return true;
}

static bool follow_tight(struct solver *s)
{
    for (int x = 1; x <= s->top; x++) {
        int best = s->nodes[x].best;
        if (!is_outermost(s, x) || !best || s->nodes[best].outer == x)
            continue;
        const struct edge *e = edge_between(s, best, x);
        if (slack_of(s, e) == 0 && follow(s, e))
            return true;
    }
    return false;
}

static bool begin_stage(struct solver *s)
{
    s->queue_head = s->queue_tail = 0;
    for (int x = 1; x <= s->top; x++) {
        s->nodes[x].label = FREE;
        s->nodes[x].best = 0;
    }
    for (int x = 1; x <= s->top; x++)
        if (is_outermost(s, x) && !s->nodes[x].mate) {
            s->nodes[x].parent = 0;
            s->nodes[x].label = EVEN;
            push(s, x);
        }
    return s->queue_tail > 0;
}

/* Makes one more pair; false when there is none to make. */
static bool stage(struct solver *s)
{
    if (!begin_stage(s))
        return false;
    for (;;) {
        if (search_queue(s))
            return true;
        if (!change_duals(s, dual_step(s)))
            return false;
        s->queue_head = s->queue_tail = 0;
        if (follow_tight(s))
            return true;
        for (int b = s->n + 1; b <= s->top; b++)
            if (is_outermost(s, b) && s->nodes[b].label == ODD && s->nodes[b].dual == 0)
                expand(s, b);
    }
}

static void solver_init(struct solver *s, const int32_t *weights, int n)
{
    *s = (struct solver){.weights = weights, .n = n, .top = n, .capacity = n + n / 2 + 1};
    size_t nodes = (size_t)s->capacity + 1;
    s->nodes = new_array(nodes, sizeof *s->nodes);
    s->edges = new_array(nodes * nodes, sizeof *s->edges);
    s->queue = new_array(2 * (size_t)n, sizeof *s->queue);
    int64_t heaviest = 0;
    for (int a = 1; a <= n; a++) {
        s->nodes[a].outer = a;
        for (int b = 1; b <= n; b++) {
            int64_t weight = weight_of(s, a, b);
            heaviest = weight > heaviest ? weight : heaviest;
            if (a != b && weight > 0)
                *edge_between(s, a, b) = (struct edge){(uint16_t)a, (uint16_t)b};
        }
    }
    for (int a = 1; a <= n; a++)
        s->nodes[a].dual = heaviest;
}

static void solver_done(struct solver *s)
{
    for (int b = s->n + 1; b <= s->capacity; b++) {
        free(s->nodes[b].petals);
        free(s->nodes[b].petal_with);
    }
    free(s->nodes);
    free(s->edges);
    free(s->queue);
}

int64_t blossom_match(const int32_t *weights, size_t n, int32_t *partner)
{
    assert(n <= BLOSSOM_VERTICES_MAX);
    struct solver s;
    int64_t sum = 0;
    solver_init(&s, weights, (int)n);
    while (stage(&s))
        continue;
    for (int a = 1; a <= s.n; a++) {
        int b = s.nodes[a].mate;
        partner[a - 1] = b - 1;
        if (b > a)
            sum += weight_of(&s, a, b);
    }
    solver_done(&s);
    return sum;
}
