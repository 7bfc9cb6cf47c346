#include "conninfo.h"

#include <assert.h>
#include <stdio.h>

#include "conversation/base/str.h"
#include "conversation/config.h"

void pg_conninfo_add(struct pg_conninfo *ci, const char *keyword, const char *value)
{
    assert(ci->count < PG_CONNINFO_MAX);
    ci->keywords[ci->count] = keyword;
    ci->values[ci->count] = value;
    ci->count++;
    ci->keywords[ci->count] = ci->values[ci->count] = NULL;
}

bool pg_host_is_local(void)
{
    return config.db_host[0] == '\0' || config.db_host[0] == '/';
}

void pg_conninfo_init(struct pg_conninfo *ci, const char *application_name, long statement_timeout_ms)
{
    ci->count = 0;
    snprintf(ci->port, sizeof ci->port, "%d", config.db_port);
    /* A statement that waits for a lock gives up before its own time is over, so that the cause is told
     * apart. */
    /* jit: compiling costs more than it saves in statements this short. enable_seqscan: a statement's plan is
     * kept, and one made while a table was small would read all of it for ever after, or until it is
     * analysed. */
    snprintf(ci->options, sizeof ci->options,
             "-c timezone=UTC -c jit=off -c enable_seqscan=off -c statement_timeout=%ld -c lock_timeout=%ld",
             statement_timeout_ms, statement_timeout_ms - statement_timeout_ms / 4);
    pg_conninfo_add(ci, "port", ci->port);
    pg_conninfo_add(ci, "dbname", config.db_name);
    pg_conninfo_add(ci, "user", config.db_user);
    pg_conninfo_add(ci, "password", config.db_password);
    pg_conninfo_add(ci, "sslmode", config.db_sslmode);
    pg_conninfo_add(ci, "gssencmode", "disable"); /* asking a key centre blocks */
    pg_conninfo_add(ci, "client_encoding", "UTF8");
    pg_conninfo_add(ci, "application_name", application_name);
    pg_conninfo_add(ci, "options", ci->options);
    pg_conninfo_add(ci, "target_session_attrs", "read-write"); /* after a failover: not the standby */
    /* An idle connection whose peer vanished is noticed within a minute. */
    pg_conninfo_add(ci, "keepalives_idle", "30");
    pg_conninfo_add(ci, "keepalives_interval", "10");
    pg_conninfo_add(ci, "keepalives_count", "3");
}

void pg_message_copy(const char *message, char *out, unsigned long cap)
{
    struct str text = str_trim(str_of(message ? message : ""), " \r\n\t");
    size_t n = text.n < cap - 1 ? text.n : cap - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = text.p[i] == '\n' || text.p[i] == '\t' ? ' ' : text.p[i];
    out[n] = '\0';
}
