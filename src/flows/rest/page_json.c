#include "page_json.h"

struct jsonw *reply_page_begin(struct flow *f, const char *name)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, name);
    jsonw_array(w);
    return w;
}

void reply_page_send(struct flow *f, struct jsonw *w, int offset, size_t count, int64_t total)
{
    jsonw_end_array(w);
    jsonw_m_int(w, "total", total);
    jsonw_m_bool(w, "hasMore", offset + (int64_t)count < total);
    jsonw_end_object(w);
    reply_send(f);
}
