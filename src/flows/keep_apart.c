/* What follows in the process; the database knows already. */
#include "flows/keep_apart.h"

#include "flows/job.h"
#include "flows/matchmaker.h"

void keep_apart(const struct uuid *who, const struct db_ids *requests, const struct db_ids *arranged)
{
    matchmaker_changed(requests->items, requests->count);
    for (size_t i = 0; i < arranged->count; i++) {
        const struct db_session_ending ending = {
            .id = arranged->items[i], .by = *who, .event = SESSION_EVENT_LEAVE};
        job_session_end(&ending);
    }
}
