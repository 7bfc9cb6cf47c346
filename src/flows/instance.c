#include "flows/instance.h"

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"

static int64_t since_ms, last_ms; /* clock_mono_ms of the first and the last of an unbroken row; 0: none */

void instance_begins(void)
{
    since_ms = last_ms = 0;
}

void instance_was_seen(void)
{
    int64_t now = clock_mono_ms();
    if (!last_ms || now - last_ms > DB_INSTANCE_SILENT_MS)
        since_ms = now;
    last_ms = now;
}

bool instance_may_judge(int64_t grace_ms)
{
    int64_t now = clock_mono_ms();
    return last_ms && now - last_ms <= DB_INSTANCE_SILENT_MS &&
           now - since_ms >= DB_INSTANCE_SILENT_MS + grace_ms;
}
