/* How many single-row writes a second the PostgreSQL adapter stores, by the number of flows that write at the
 * same time; each flow waits for its write before the next, as the service's do. Wants an empty scratch
 * database: DB_HOST=/tmp/pg DB_NAME=scratch bench_pg_writes [seconds per figure] */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "../../src/adapters/pg/pg.h"
#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/ports/db.h"
#include "conversation/ports/migrations.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"

const struct migration migrations[] = {
    {1, "0001_bench", "CREATE TABLE bench (id uuid PRIMARY KEY, at timestamptz NOT NULL, n int NOT NULL)"}};
const size_t migrations_count = 1;

static const struct pg_statement WRITE = {
    .name = "bench_write", .sql = "INSERT INTO bench VALUES ($1, " PG_AT("$2") ", $3)", .is_write = true};
static const struct pg_statement READ = {.name = "bench_read", .sql = "SELECT n FROM bench WHERE id = $1"};

static struct {
    const struct pg_statement *statement;
    uint64_t end_ns;
    int64_t count, failed;
    size_t flows;
} round_;

static void submit(struct flow *f)
{
    struct pg_args args = {0};
    struct uuid id = uuid_random();
    pg_arg_uuid(&args, &id);
    if (round_.statement->is_write) {
        pg_arg_time(&args, clock_now_ms());
        pg_arg_int(&args, 1);
    }
    pg_run(f, round_.statement, &args, NULL, NULL);
}

static void run(struct flow *f)
{
    enum err result = OK;
    FLOW_BEGIN(f);
    while (uv_hrtime() < round_.end_ns) {
        AWAIT_TRY(f, &result, submit(f));
        round_.count++;
        round_.failed += result != OK;
    }
    FLOW_END(f);
fail:
    round_.failed++;
}

static void ended(struct flow *f)
{
    (void)f;
    if (--round_.flows == 0)
        uv_stop(loop_uv());
}

static const struct flow_spec spec = {.name = "bench.write", .run = run};

static void measure(const struct pg_statement *statement, size_t flows, int seconds)
{
    uint64_t begun_ns = uv_hrtime();
    round_.statement = statement;
    round_.end_ns = begun_ns + (uint64_t)seconds * 1000000000u;
    round_.count = round_.failed = 0;
    round_.flows = flows;
    for (size_t i = 0; i < flows; i++)
        flow_start(&(struct flow_start){.spec = &spec, .done = ended});
    uv_run(loop_uv(), UV_RUN_DEFAULT);
    double took = (double)(uv_hrtime() - begun_ns) / 1e9;
    printf("%-12s %5zu flows  %8.0f/s  %7.3f ms each  %ld failed\n", statement->name, flows,
           (double)round_.count / took, took * 1000 * (double)flows / (double)round_.count,
           (long)round_.failed);
}

int main(int argc, char **argv)
{
    static const size_t flows[] = {1, 8, 64, 256, 1024};
    int seconds = argc > 1 ? atoi(argv[1]) : 3;
    char problem[512];
    if (!config_load(NULL, problem)) {
        fprintf(stderr, "%s\n", problem);
        return 2;
    }
    config.db_auto_migrate = true;
    log_init("bench", LOG_WARN);
    loop_init();
    db_start();
    while (!db_is_up() || db_schema_state() != DB_SCHEMA_OK)
        uv_run(loop_uv(), UV_RUN_ONCE);
    for (size_t i = 0; i < sizeof flows / sizeof flows[0]; i++)
        measure(&WRITE, flows[i], seconds);
    for (size_t i = 0; i < sizeof flows / sizeof flows[0]; i++)
        measure(&READ, flows[i], seconds);
    db_stop();
    loop_stop();
    loop_run();
    loop_done();
    metrics_reset();
    config_free();
    return 0;
}
