#include "sqlstate.h"

#include "conninfo.h"
#include "conversation/base/log.h"

static const struct pg_sqlstate sqlstates[] = {
    {"40001", ERR_TIMEOUT, 3, false}, /* serialization_failure */
    {"40P01", ERR_TIMEOUT, 3, false}, /* deadlock_detected */
    {"26000", ERR_INTERNAL, 1, true}, /* invalid_sql_statement_name: its Parse was in a batch that failed */
    {"0A000", ERR_INTERNAL, 1, true}, /* "cached plan must not change result type": the schema moved on */
    {"57014", ERR_TIMEOUT, 0, false}, /* query_canceled: the statement timeout */
    {"55P03", ERR_TIMEOUT, 0, false}, /* lock_not_available: the lock timeout */
    {"25006", ERR_DB_UNAVAILABLE, 0, false}, /* read_only_sql_transaction: a standby now */
    {"57P", ERR_DB_UNAVAILABLE, 0, false},   /* shutdown, crash, cannot connect now */
    {"08", ERR_DB_UNAVAILABLE, 0, false},    /* connection exceptions */
    {"", ERR_INTERNAL, 0, false},
};

const struct pg_sqlstate *pg_sqlstate_of(const PGresult *failed)
{
    struct str state = str_of(PQresultErrorField(failed, PG_DIAG_SQLSTATE));
    const struct pg_sqlstate *row = sqlstates;
    while (!str_starts_with(state, str_of(row->prefix)))
        row++;
    return row;
}

enum err pg_error_of(const PGresult *failed, const struct pg_statement *statement)
{
    struct str state = str_of(PQresultErrorField(failed, PG_DIAG_SQLSTATE));
    struct str constraint = str_of(PQresultErrorField(failed, PG_DIAG_CONSTRAINT_NAME));
    if (str_eqz(state, "23505") || str_eqz(state, "23P01")) { /* unique_violation, exclusion_violation */
        for (const struct pg_violation *v = statement->violations; v && v->constraint; v++)
            if (str_eqz(constraint, v->constraint))
                return v->err;
    }
    return pg_sqlstate_of(failed)->err;
}

bool pg_error_is_fatal(const PGresult *failed)
{
    struct str severity = str_of(PQresultErrorField(failed, PG_DIAG_SEVERITY_NONLOCALIZED));
    return !PQresultErrorField(failed, PG_DIAG_SQLSTATE) || str_eqz(severity, "FATAL") ||
           str_eqz(severity, "PANIC");
}

void pg_error_log(const PGresult *failed, const struct pg_statement *statement)
{
    const char *state = PQresultErrorField(failed, PG_DIAG_SQLSTATE);
    char message[256];
    pg_message_copy(PQresultErrorField(failed, PG_DIAG_MESSAGE_PRIMARY), message, sizeof message);
    /* The messages of class 22, data exceptions, quote the value. */
    bool quotes_value = str_starts_with(str_of(state), STR("22"));
    LOG(LOG_ERROR, "db.statement_failed", LOG_Z("statement", statement->name), LOG_Z("sqlstate", state),
        LOG_Z("constraint", PQresultErrorField(failed, PG_DIAG_CONSTRAINT_NAME)),
        LOG_Z("message", quotes_value ? NULL : message));
}
