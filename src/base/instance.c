#include "conversation/base/instance.h"

const struct uuid *instance_id(void)
{
    static struct uuid id;
    if (uuid_is_nil(&id))
        id = uuid_random();
    return &id;
}
