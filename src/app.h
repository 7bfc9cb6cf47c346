/* The daemon: start and stop order. */
#ifndef APP_H
#define APP_H

/* Runs until SIGTERM or SIGINT. Returns the exit status: 0 after a clean stop; 1 with a line on stderr when
 * it could not start. `config_path` (may be NULL) is read again on SIGHUP. */
int app_run(const char *config_path);

#endif
