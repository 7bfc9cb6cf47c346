/* Private to match_trace*.c. */
#ifndef CODEC_MATCH_TRACE_NAMES_H
#define CODEC_MATCH_TRACE_NAMES_H

extern const char *const match_trace_kind_names[]; /* by enum match_trace_kind, NULL-terminated */

#endif
