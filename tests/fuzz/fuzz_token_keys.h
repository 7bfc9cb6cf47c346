/* Keys whose private halves were thrown away once they had signed the tokens that begin as named here. */
#ifndef TESTS_FUZZ_TOKEN_KEYS_H
#define TESTS_FUZZ_TOKEN_KEYS_H

/* clang-format off */
#define LOST_KEYS \
    "kid: rsa\n" \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqASH0UllbhX9ttuMpi35\n" \
    "vq2jz2UiCN5ePjJercxLFaQg+fWE5q/E/8elf8Z2iEarDOHxDVP+5uPY3Tu3dF3G\n" \
    "upDCw3vnPvkq1wAzdTH8oPOw6s1pNf8BzDmEchGW0XV9K7bDd87ahOHLja6gDD07\n" \
    "opwyZxFwf6N2IZxIJsoh9QFgE4MojZGj1+kcMnLrcIsh+mDYqw3itFbXCTuO7mjS\n" \
    "iZ2/Oqxxzll8iRRXO5ODFyYyDC3/exdewH83FT9IeYOEGMOMqp9TG9i9uIqzBa+v\n" \
    "m8Sr+0/1u0EP/w3F76B5u5Rh1PSrhUhV283/kdM2OusAPYxiLnoR2DPxrtZfBi8f\n" \
    "HwIDAQAB\n" \
    "-----END PUBLIC KEY-----\n" \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFjnvxeVI9HuNQahkb+i7XW2LfU7N\n" \
    "9HABkyXfRfxUW3YNCAjy4tJ78UbLCp3r2yB3UPxFkPADhF/agANxfYCsCg==\n" \
    "-----END PUBLIC KEY-----\n" \
    "kid: p384\n" \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEfbz/ZGX0RD6lIC5ZlqngYhpYpD4UdQQs\n" \
    "Yx6fwyszf5TsPUCXNWXxLcSkNYNueNGJgQuSPbNm1bwhbydv5MsKB4vNTD/MxZFz\n" \
    "t7QnZ5SUw3yEh9BfsnfDfgv+VfZc9Ntd\n" \
    "-----END PUBLIC KEY-----\n" \
    "kid: p521\n" \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAov/v2xuZ2pBx+gEC3TerTgdyUoF6\n" \
    "wFMl+bveGMCxlQo6Jp0HK3b+wgIgblXRFhhKcufuKDcWIwixMA1fzBEtRYgBzL67\n" \
    "bR/W1hyK//GHDUdYzIknecgb0AzwNpjDXBdli4XjC57+BWWVKXh14+WaSYWGolEE\n" \
    "BbcmpADxgEm/nAPr7UI=\n" \
    "-----END PUBLIC KEY-----\n"

static const char *const signed_once[] = {
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYSJ9.eyJzdWIiOiI1NTBlODQwMC1lMjliLTQxZDQtYTcxNi0"
    "0NDY2NTU0NDAwMDAiLCJleHAiOjE3MzY5NDA2MDAsInRpZXIiOiJwcmVtaXVtIiwibmFtZSI6IkFuYSJ9.",
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI1NTBlODQwMC1lMjliLTQxZDQtYTcxNi00NDY2NTU0NDAwMDA"
    "iLCJleHAiOjE3MzY5NDA2MDAsInRpZXIiOiJwcmVtaXVtIiwibmFtZSI6IkFuYSJ9.",
    "eyJhbGciOiJFUzM4NCIsImtpZCI6InAzODQifQ.eyJzdWIiOiI1NTBlODQwMC1lMjliLTQxZDQtYTcxNi00NDY2NTU0NDAwM"
    "DAiLCJleHAiOjE3MzY5NDA2MDAsInRpZXIiOiJwcmVtaXVtIiwibmFtZSI6IkFuYSJ9.",
    "eyJhbGciOiJFUzUxMiIsImtpZCI6InA1MjEifQ.eyJzdWIiOiI1NTBlODQwMC1lMjliLTQxZDQtYTcxNi00NDY2NTU0NDAwM"
    "DAiLCJleHAiOjE3MzY5NDA2MDAsInRpZXIiOiJwcmVtaXVtIiwibmFtZSI6IkFuYSJ9.",
    "eyJhbGciOiJSUzM4NCJ9.eyJzdWIiOiI1NTBlODQwMC1lMjliLTQxZDQtYTcxNi00NDY2NTU0NDAwMDAiLCJleHAiOjE3MzY"
    "5NDA2MDAsInRpZXIiOiJwcmVtaXVtIiwibmFtZSI6IkFuYSJ9.",
    "eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiI1NTBlODQwMC1lMjliLTQxZDQtYTcxNi00NDY2NTU0NDAwMDAiLCJleHAiOjE3MzY"
    "5NDA2MDAsInRpZXIiOiJwcmVtaXVtIiwibmFtZSI6IkFuYSJ9.",
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI1NTBlODQwMC1lMjliLTQxZDQtYTcxNi00NDY2NTU0NDAwMDAiLCJleHAiOjF9.",
};
/* clang-format on */

#endif
