/* Command line of conversationd (docs/operations.md). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "app.h"
#include "conversation/base/log.h"
#include "conversation/codec/token.h"
#include "conversation/config.h"
#include "conversation/edge/edge.h"
#include "conversation/net/tls.h"
#include "conversation/ports/db.h"

#define EXIT_CONFIG 78 /* sysexits.h EX_CONFIG */

enum action { ACTION_RUN, ACTION_CHECK_CONFIG, ACTION_MIGRATE };

struct arguments {
    enum action action;
    const char *config_path;
};

static void usage(FILE *to)
{
    fputs("usage: conversationd [--config FILE] [--check-config | --migrate | --version | --help]\n"
          "  --config FILE   read NAME=value lines from FILE; the environment wins over it\n"
          "  --check-config  check the configuration and exit: 0 good, 78 bad\n"
          "  --migrate       bring the database's schema up to this version and exit\n"
          "The variables are listed in docs/configuration.md.\n",
          to);
}

static struct arguments parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'k'},
        {"migrate", no_argument, NULL, 'm'},      {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {0},
    };
    struct arguments a = {.action = ACTION_RUN};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c': a.config_path = optarg; break;
        case 'k': a.action = ACTION_CHECK_CONFIG; break;
        case 'm': a.action = ACTION_MIGRATE; break;
        case 'v': puts("conversationd " CONVERSATION_VERSION); exit(0);
        case 'h': usage(stdout); exit(0);
        default: usage(stderr); exit(2);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "conversationd: unexpected argument \"%s\"\n", argv[optind]);
        usage(stderr);
        exit(2);
    }
    return a;
}

/* One line on stderr and exit 78 for whatever is wrong with the configuration. */
static void load_config(const struct arguments *a)
{
    char problem[512];
    const char *why;
    if (!config_load(a->config_path, problem)) {
        fprintf(stderr, "conversationd: %s\n", problem);
        exit(EXIT_CONFIG);
    }
    if (a->action == ACTION_MIGRATE)
        return;
    if (!config.jwt_public_key[0]) {
        fprintf(stderr, "conversationd: JWT_PUBLIC_KEY: not set; a public key in PEM is required\n");
        exit(EXIT_CONFIG);
    }
    struct token_keys *keys = token_keys_new(str_of(config.jwt_public_key), &why);
    if (!keys) {
        fprintf(stderr, "conversationd: JWT_PUBLIC_KEY: %s\n", why);
        exit(EXIT_CONFIG);
    }
    token_keys_free(keys);
    struct edge_refusal refusal;
    if (!edge_load_certificate(&refusal)) {
        fprintf(stderr, "conversationd: %s: %s\n", refusal.variable, refusal.why);
        exit(EXIT_CONFIG);
    }
}

static void init_log(void)
{
    enum log_level level = LOG_INFO;
    (void)log_level_parse(config.log_level, &level); /* checked by the configuration's table */
    log_init(config.service_name, level);
}

int main(int argc, char **argv)
{
    struct arguments a = parse(argc, argv);
    int status = 0;
    load_config(&a);
    init_log();
    switch (a.action) {
    case ACTION_RUN: status = app_run(a.config_path); break;
    case ACTION_MIGRATE: status = db_migrate_now(); break;
    case ACTION_CHECK_CONFIG: puts("configuration is good"); break;
    }
    tls_unload();
    config_free();
    log_done();
    return status;
}
