/* What the process itself uses, as the metrics process_* (the names are those of Prometheus' client
 * libraries). */
#ifndef CONVERSATION_RT_PROCESS_H
#define CONVERSATION_RT_PROCESS_H

/* Once at the start; from then on the metrics are read when they are rendered. */
void process_metrics_start(void);

#endif
