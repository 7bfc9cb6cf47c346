/* The connection that carries the commands of all ports of this adapter; kv_start and kv_stop run it. */
#ifndef CONVERSATION_REDIS_COMMANDS_H
#define CONVERSATION_REDIS_COMMANDS_H

#include "adapters/redis/conn.h"

extern struct redis_conn redis_commands;

#endif
