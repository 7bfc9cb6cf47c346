#ifndef MATCHSIM_TOPICS_H
#define MATCHSIM_TOPICS_H

#include "conversation/domain/pairing.h"

struct sim_topic {
    const char *code;
    enum level level;
    enum topic_category category;
};

extern const struct sim_topic sim_topics[];
extern const size_t sim_topic_count;
extern const struct topic_pair sim_topic_pairs[];
extern const size_t sim_topic_pair_count;

#endif
