/* The digits of base64 and base64url (RFC 4648 sections 4 and 5), which differ in the last two. */
#ifndef CONVERSATION_BASE_BASE64_H
#define CONVERSATION_BASE_BASE64_H

/* What a digit stands for; -1 when it is none. */
static inline int base64_value(char c, char digit_62, char digit_63)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == digit_62 ? 62 : c == digit_63 ? 63 : -1;
}

#endif
