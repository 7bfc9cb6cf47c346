/* The certificate that the listeners with `uses_tls` show (docs/operations.md, "TLS"). One of the process. */
#ifndef CONVERSATION_NET_TLS_H
#define CONVERSATION_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

/* Paths of PEM files: the server's certificate followed by its chain; its private key, not encrypted. */
struct tls_files {
    const char *certificate, *key;
};

struct tls_problem {
    bool is_of_key; /* else of the certificate */
    char why[384];  /* with the file's path */
};

/* From now on new connections get this certificate; old ones keep theirs. False: nothing has changed. Reads
 * files, so not while clients wait: at the start, on a reload. */
bool tls_load(const struct tls_files *files, struct tls_problem *problem);
bool tls_is_loaded(void);
int64_t tls_expires_at_ms(void); /* the certificate's end, wall clock; it must be loaded */
void tls_unload(void);           /* harmless when there is none */

#endif
