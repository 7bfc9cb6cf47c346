/* Match requests over REST, at once or so many pairs a second whatever the server does; what counts is the
 * time until match_found has come to both sockets of a pair. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modes.h"
#include "stats.h"

#define BODY       "{\"targetLanguageCode\":\"en\",\"topicCode\":\"free_talk\"}"
#define FOUND      "[\"match_found\","
#define GIVE_UP_NS 60000000000

struct asking {
    int64_t sent_ns;
    bool is_found;
};

static struct {
    struct samples answer, found;
    size_t refused;
    int64_t last_found_ns;
} run;

static struct {
    struct link *links;
    struct waiting { /* the requests of a connection, oldest first: answers come in order */
        int64_t *sent_ns;
        size_t head, tail;
    } * waiting;
    size_t count;
} pool;

static void on_event(struct learner *l, const char *json, size_t n)
{
    struct asking *a = l->user_data;
    if (n < strlen(FOUND) || memcmp(json, FOUND, strlen(FOUND)) != 0)
        return;
    if (a->is_found || !a->sent_ns)
        die("matched twice, or unasked");
    a->is_found = true;
    run.last_found_ns = now_ns();
    samples_add(&run.found, run.last_found_ns - a->sent_ns);
}

static size_t on_answer(struct link *l, const char *p, size_t n)
{
    struct waiting *w = &pool.waiting[l - pool.links];
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - p) + 4;
    const char *length = memmem(p, head, "Content-Length: ", 16);
    size_t total = head + (length ? strtoul(length + 16, NULL, 10) : 0);
    if (n < total)
        return 0;
    if (memcmp(p, "HTTP/1.1 201 ", 13) != 0) {
        if (run.refused++ == 0)
            fprintf(stderr, "load: refused: %.*s\n", (int)total, p);
    }
    samples_add(&run.answer, now_ns() - w->sent_ns[w->tail++]);
    return total;
}

static void ask(struct learner *l, size_t connection)
{
    struct waiting *w = &pool.waiting[connection];
    struct bytes request = {0};
    char head[256];
    int n = snprintf(head, sizeof head,
                     "POST /api/conversations/match-request HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\nAuthorization: Bearer ",
                     strlen(BODY));
    bytes_add(&request, head, (size_t)n);
    bytes_add_text(&request, l->token);
    bytes_add_text(&request, "\r\n\r\n" BODY);
    ((struct asking *)l->user_data)->sent_ns = w->sent_ns[w->head++] = now_ns();
    link_send(&pool.links[connection], request.p, request.n);
    free(request.p);
}

static void open_pool(size_t count, int port, size_t requests)
{
    pool.count = count;
    pool.links = must_alloc(count, sizeof *pool.links);
    pool.waiting = must_alloc(count, sizeof *pool.waiting);
    for (size_t i = 0; i < count; i++) {
        link_open(&pool.links[i], port, on_answer);
        pool.waiting[i].sent_ns = must_alloc(requests / count + 1, sizeof(int64_t));
        if (i % 64 == 63)
            link_turn(now_ns() + 1000000); /* lets the server accept */
    }
}

static int64_t ask_all(struct plan *plan, double pairs_per_second)
{
    int64_t begin_ns = now_ns();
    for (size_t i = 0; i < plan->count; i += 2) {
        if (pairs_per_second > 0) {
            int64_t due_ns = begin_ns + (int64_t)((double)i / 2 / pairs_per_second * 1e9);
            while (now_ns() < due_ns)
                link_turn(due_ns);
        }
        ask(&plan->learners[i], i % pool.count);
        ask(&plan->learners[i + 1], (i + 1) % pool.count);
    }
    return begin_ns;
}

static void await_all(size_t count)
{
    int64_t deadline = now_ns() + GIVE_UP_NS;
    while ((run.found.n < count || run.answer.n < count) && now_ns() < deadline)
        link_turn(deadline);
}

static void print_samples(const char *name, struct samples *s)
{
    samples_sort(s);
    printf("\"%s\":{\"p50Ms\":%.2f,\"p95Ms\":%.2f,\"p99Ms\":%.2f,\"maxMs\":%.2f},", name, samples_ms(s, 0.5),
           samples_ms(s, 0.95), samples_ms(s, 0.99), samples_ms(s, 1));
}

void mode_match(const struct target *target, struct plan *plan, char **arguments)
{
    size_t connections = strtoul(arguments[0], NULL, 10);
    for (size_t i = 0; i < plan->count; i++) {
        plan->learners[i].on_event = on_event;
        plan->learners[i].user_data = must_alloc(1, sizeof(struct asking));
    }
    learners_connect(plan, plan->count, target->port, 0);
    open_pool(connections, target->port, plan->count);
    double cpu_us = process_cpu_us(target->pid);
    int64_t begin_ns = ask_all(plan, atof(arguments[1]));
    await_all(plan->count);
    cpu_us = process_cpu_us(target->pid) - cpu_us;
    double took_s = (double)(run.last_found_ns - begin_ns) / 1e9;
    printf("{\"requests\":%zu,\"refused\":%zu,\"matched\":%zu,\"seconds\":%.3f,\"pairsPerSecond\":%.0f,",
           plan->count, run.refused, run.found.n, took_s, (double)run.found.n / 2 / took_s);
    print_samples("answer", &run.answer);
    print_samples("found", &run.found);
    printf("\"cpuUsPerPair\":%.0f}\n", cpu_us / ((double)plan->count / 2));
}
