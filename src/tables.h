/* The behaviour tables: what the daemon does, one row each (routes.c, events.c, jobs.c). */
#ifndef TABLES_H
#define TABLES_H

#include "conversation/edge/hub.h"
#include "conversation/edge/router.h"

void routes_init(void);                 /* hands the routes to the router, with limits of the configuration */
extern struct rate_limit limit_reports; /* of reports over REST and sockets together; filled by routes_init */
extern const struct event_row event_rows[]; /* ended by a row without name */
void jobs_start(void);
void jobs_stop(void);

#endif
