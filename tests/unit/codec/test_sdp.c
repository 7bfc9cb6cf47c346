/* Session descriptions: what browsers send passes, and each thing that may be wrong is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/codec/sdp.h"

#define FINGERPRINT                                                          \
    "a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:" \
    "2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\r\n"
#define SESSION     "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
#define AUDIO       "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\n"
#define ICE         "a=ice-ufrag:F7gI\r\na=ice-pwd:x9cml/YzichV2+XlhiMu8gTw\r\n"
#define CREDENTIALS ICE FINGERPRINT

/* --- accepted --- */

static const char chrome_offer[] =
    "v=0\r\n"
    "o=- 5726203389416310526 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0 1\r\n"
    "a=extmap-allow-mixed\r\n"
    "a=msid-semantic: WMS 6d1e0b60-9a40-4f3a-bf5e-1d6e2ab8c9f3\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:Xk4j\r\n"
    "a=ice-pwd:W2uYro5tbBCZbDgSSLQfPyDn\r\n"
    "a=ice-options:trickle\r\n" FINGERPRINT "a=setup:actpass\r\n"
    "a=mid:0\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    "a=sendrecv\r\n"
    "a=msid:6d1e0b60-9a40-4f3a-bf5e-1d6e2ab8c9f3 0a9b7f6c-2f33-4d0e-a0b6-0f4a4a6f7c11\r\n"
    "a=rtcp-mux\r\n"
    "a=rtcp-rsize\r\n"
    "a=rtpmap:111 opus/48000/2\r\n"
    "a=rtcp-fb:111 transport-cc\r\n"
    "a=fmtp:111 minptime=10;useinbandfec=1\r\n"
    "a=rtpmap:63 red/48000/2\r\n"
    "a=fmtp:63 111/111\r\n"
    "a=rtpmap:126 telephone-event/8000\r\n"
    "a=ssrc:1714023985 cname:o/i14u9pJrxRKAsu\r\n"
    "a=ssrc:1714023985 msid:6d1e0b60-9a40-4f3a-bf5e-1d6e2ab8c9f3 0a9b7f6c-2f33-4d0e-a0b6-0f4a4a6f7c11\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:Xk4j\r\n"
    "a=ice-pwd:W2uYro5tbBCZbDgSSLQfPyDn\r\n"
    "a=ice-options:trickle\r\n" FINGERPRINT "a=setup:actpass\r\n"
    "a=mid:1\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:262144\r\n";

/* after gathering: candidates inside, c= and port filled in */
static const char chrome_answer_gathered[] =
    "v=0\r\n"
    "o=- 3546004397921447048 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0\r\n"
    "a=msid-semantic: WMS\r\n"
    "m=audio 54609 UDP/TLS/RTP/SAVPF 111 126\r\n"
    "c=IN IP4 192.168.1.4\r\n"
    "b=AS:64\r\n"
    "a=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=candidate:1467250027 1 udp 2122260223 192.168.1.4 54609 typ host generation 0 network-id 1 "
    "network-cost 10\r\n"
    "a=candidate:435653019 1 tcp 1845501695 192.168.1.4 9 typ host tcptype active generation 0\r\n"
    "a=candidate:1853887674 1 udp 1518280447 203.0.113.141 36768 typ srflx raddr 192.168.1.4 rport 54609 "
    "generation 0\r\n"
    "a=ice-ufrag:0+/z\r\n"
    "a=ice-pwd:MJRGtbZmdqMn5aM3YiJrhUvL\r\n" FINGERPRINT "a=setup:active\r\n"
    "a=mid:0\r\n"
    "a=sendrecv\r\n"
    "a=rtcp-mux\r\n"
    "a=rtpmap:111 opus/48000/2\r\n";

/* credentials of the session's fingerprint, ufrag and pwd per section */
static const char firefox_offer[] =
    "v=0\r\n"
    "o=mozilla...THIS_IS_SDPARTA-99.0 6904012493217424462 0 IN IP4 0.0.0.0\r\n"
    "s=-\r\n"
    "t=0 0\r\n" FINGERPRINT "a=group:BUNDLE 0 1\r\n"
    "a=ice-options:trickle\r\n"
    "a=msid-semantic:WMS *\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=sendrecv\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    "a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level\r\n"
    "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\n"
    "a=fmtp:101 0-15\r\n"
    "a=ice-pwd:7f9a2ff2a5eb4a5a8d5d9a2b0f5d3c1e\r\n"
    "a=ice-ufrag:1b2c3d4e\r\n"
    "a=mid:0\r\n"
    "a=msid:{f0a3cb1e-3d0c-4a7e-8f6e-0d6b8b1c2d3e} {0b1c2d3e-4f5a-6b7c-8d9e-0f1a2b3c4d5e}\r\n"
    "a=rtcp-mux\r\n"
    "a=rtpmap:109 opus/48000/2\r\n"
    "a=rtpmap:9 G722/8000/1\r\n"
    "a=setup:actpass\r\n"
    "a=ssrc:2655508255 cname:{735484ea-4f6c-f74a-bd66-7425f8476c2e}\r\n"
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=bundle-only\r\n"
    "a=mid:1\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:1073741823\r\n";

/* the second section rides on the first: no transport attributes of its own */
static const char firefox_answer_bundled[] =
    "v=0\r\n"
    "o=mozilla...THIS_IS_SDPARTA-99.0 8423150043917283011 0 IN IP4 0.0.0.0\r\n"
    "s=-\r\n"
    "t=0 0\r\n" FINGERPRINT "a=group:BUNDLE 0 1\r\n"
    "a=ice-options:trickle\r\n"
    "a=msid-semantic:WMS *\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 109\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=recvonly\r\n"
    "a=ice-pwd:5b0c4a9de6b14f3c8a7d6e5f4a3b2c1d\r\n"
    "a=ice-ufrag:9f8e7d6c\r\n"
    "a=mid:0\r\n"
    "a=rtcp-mux\r\n"
    "a=setup:active\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=mid:1\r\n"
    "a=sctp-port:5000\r\n";

static const char safari_offer[] = "v=0\r\n"
                                   "o=- 2890844526 2 IN IP6 ::1\r\n"
                                   "s=-\r\n"
                                   "t=0 0\r\n"
                                   "a=group:BUNDLE audio\r\n"
                                   "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
                                   "c=IN IP6 ::\r\n"
                                   "a=mid:audio\r\n" CREDENTIALS "a=rtcp-mux\r\n";

static const char everything_of_rfc_8866[] = "v=0\n"
                                             "o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\n"
                                             "s=Call to John Smith\n"
                                             "i=SDP Offer #1 \xC3\xA9\n"
                                             "u=http://www.jdoe.example.com/home.html\n"
                                             "e=Jane Doe <jane@jdoe.example.com>\n"
                                             "e=second@example.com\n"
                                             "p=+1 617 555-6011\n"
                                             "c=IN IP4 233.252.0.1/127/3\n"
                                             "b=CT:128\n"
                                             "b=X-YZ:64\n"
                                             "t=3724394400 3724398000\n"
                                             "r=604800 3600 0 90000\n"
                                             "z=3730928400 -1h 3749680800 0\n"
                                             "t=3724484400 3724488000\n"
                                             "k=prompt\n"
                                             "a=recvonly\n"
                                             "m=audio 49170/2 RTP/AVP 0\n"
                                             "i=sound\n"
                                             "c=IN IP4 198.51.100.1\n"
                                             "c=IN IP4 198.51.100.2\n"
                                             "b=AS:64\n"
                                             "k=prompt\n" CREDENTIALS "m=audio 0 RTP/AVP 0\n";

static void browsers_are_accepted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        chrome_offer,           chrome_answer_gathered,   firefox_offer, firefox_answer_bundled, safari_offer,
        everything_of_rfc_8866, SESSION AUDIO CREDENTIALS};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *reason = "untouched";
        enum err err = sdp_check(str_of(texts[i]), &reason);
        if (err)
            fail_msg("text %zu: %s", i, reason);
        assert_string_equal(reason, "untouched");
    }
}

static void the_last_line_end_may_be_missing(void **state)
{
    (void)state;
    const char *reason;
    struct str text = STR(SESSION AUDIO CREDENTIALS "a=mid:0");
    assert_int_equal(sdp_check(text, &reason), OK);
}

/* --- refused --- */

#define LINE       "a line is not <type>=<value>"
#define PLACE      "a line type that does not belong here"
#define ORDER      "a line out of order or twice"
#define EMPTY      "a line has no value"
#define ORIGIN     "o= is not <username> <sess-id> <sess-version> IN IP4|IP6 <address>"
#define MEDIA      "m= is not <media> <port> <proto> <fmt> …"
#define CONNECTION "c= is not IN IP4|IP6 <address>"
#define BANDWIDTH  "b= is not <type>:<number>"
#define TIMES      "t= is not two numbers"
#define ATTRIBUTE  "a= is not <name> or <name>:<value>"
#define HASH       "a=fingerprint is not <hash> <hex bytes>"
#define UFRAG      "a=ice-ufrag is not 4 to 256 ICE characters"
#define PWD        "a=ice-pwd is not 22 to 256 ICE characters"
#define VALUE      "an attribute lacks its value"
#define FIRST      "v=0 is not the first line"
#define CONTROL    "a control character"

#define O "o=- 1 2 IN IP4 127.0.0.1\r\n"
#define S "s=-\r\n"
#define T "t=0 0\r\n"
#define V "v=0\r\n"
#define M AUDIO CREDENTIALS

static const struct {
    const char *text, *reason;
} refused[] = {
    /* the frame */
    {"", FIRST},
    {"\r\n", FIRST},
    {"hello", FIRST},
    {"v=1\r\n" O S T M, FIRST},
    {"v=0 \r\n" O S T M, FIRST},
    {" v=0\r\n" O S T M, FIRST},
    {"V=0\r\n" O S T M, FIRST},
    {"\xEF\xBB\xBFv=0\r\n" O S T M, FIRST},
    {O V S T M, FIRST},
    {V, "no m= section"},
    {SESSION, "no m= section"},
    {SESSION "a=group:BUNDLE 0\r\n", "no m= section"},
    /* required lines */
    {V S T M, "o= is missing"},
    {V O T M, "s= is missing"},
    {V O S M, "t= is missing"},
    {V M, "o= is missing"},
    /* order */
    {V S O T M, ORDER},
    {V O T S M, ORDER},
    {V O O S T M, ORDER},
    {V O S S T M, ORDER},
    {V V O S T M, PLACE},
    {V O S T "c=IN IP4 0.0.0.0\r\n" M, ORDER},
    {V O S "c=IN IP4 0.0.0.0\r\nc=IN IP4 0.0.0.0\r\n" T M, ORDER},
    {V O S T "a=ice-lite\r\n" T M, ORDER},
    {V O S "r=1 2 3\r\n" T M, "r= or z= without t="},
    {SESSION "m=audio 9 RTP/AVP 0\r\na=mid:0\r\nc=IN IP4 0.0.0.0\r\n" CREDENTIALS, ORDER},
    {SESSION "m=audio 9 RTP/AVP 0\r\na=mid:0\r\nb=AS:1\r\n" CREDENTIALS, ORDER},
    {SESSION M "t=0 0\r\n", PLACE},
    {SESSION M "s=-\r\n", PLACE},
    {SESSION M "v=0\r\n", PLACE},
    {SESSION "x=1\r\n" M, PLACE},
    {SESSION "A=mid:0\r\n" M, PLACE},
    /* lines */
    {SESSION M "\r\n", LINE},
    {SESSION "\r\n" M, LINE},
    {SESSION "a\r\n" M, LINE},
    {SESSION "a:mid\r\n" M, LINE},
    {SESSION "=mid\r\n" M, LINE},
    {SESSION "a =mid\r\n" M, LINE},
    {SESSION " a=mid\r\n" M, LINE},
    {SESSION M "a=mid:0\t\r\n", CONTROL},
    {SESSION M "a=mid:\x01\r\n", CONTROL},
    {SESSION M "a=mid:0\r\r\n", CONTROL},
    {SESSION M "a=mid:0\ra=x\r\n", CONTROL},
    {SESSION M "a=mid:\x7F\r\n", CONTROL},
    {SESSION M "a=mid:\x1B[2J\r\n", CONTROL},
    {SESSION M "a=x:\xFF\r\n", "not UTF-8"},
    {SESSION M "a=x:\xC0\xAF\r\n", "not UTF-8"},
    {SESSION M "a=x:\xED\xA0\x80\r\n", "not UTF-8"},
    /* values */
    {V O "s=\r\n" T M, EMPTY},
    {V O S "i=\r\n" T M, EMPTY},
    {V "o=- 1 2 IN IP4\r\n" S T M, ORIGIN},
    {V "o=- x 2 IN IP4 127.0.0.1\r\n" S T M, ORIGIN},
    {V "o=- 1 -2 IN IP4 127.0.0.1\r\n" S T M, ORIGIN},
    {V "o=- 1 2 OUT IP4 127.0.0.1\r\n" S T M, ORIGIN},
    {V "o=- 1 2 IN IP5 127.0.0.1\r\n" S T M, ORIGIN},
    {V "o=- 1 2 IN IP4 127.0.0.1 x\r\n" S T M, ORIGIN},
    {V "o= 1 2 IN IP4 127.0.0.1\r\n" S T M, ORIGIN},
    {V "o=- 1 2 IN IP4 127.0.0.256\r\n" S T M, ORIGIN},
    {V O S "t=0\r\n" M, TIMES},
    {V O S "t=0 x\r\n" M, TIMES},
    {V O S "t=0 0 0\r\n" M, TIMES},
    {V O S "c=IN IP4\r\n" T M, CONNECTION},
    {V O S "c=IN IP4 1.2.3\r\n" T M, CONNECTION},
    {V O S "c=IN IP4 233.252.0.1/x\r\n" T M, CONNECTION},
    {V O S "b=AS\r\n" T M, BANDWIDTH},
    {V O S "b=AS:-1\r\n" T M, BANDWIDTH},
    {V O S "b=:1\r\n" T M, BANDWIDTH},
    {SESSION "m=audio\r\n", MEDIA},
    {SESSION "m=audio 9\r\n", MEDIA},
    {SESSION "m=audio 9 RTP/AVP\r\n", MEDIA},
    {SESSION "m=audio 9 RTP/AVP \r\n", MEDIA},
    {SESSION "m=audio x RTP/AVP 0\r\n", MEDIA},
    {SESSION "m=audio 65536 RTP/AVP 0\r\n", MEDIA},
    {SESSION "m=audio -1 RTP/AVP 0\r\n", MEDIA},
    {SESSION "m=audio 9/ RTP/AVP 0\r\n", MEDIA},
    {SESSION "m=audio 9 RTP//AVP 0\r\n", MEDIA},
    {SESSION "m= 9 RTP/AVP 0\r\n", MEDIA},
    {SESSION "m=au(dio 9 RTP/AVP 0\r\n", MEDIA},
    {SESSION "m=audio 9 RTP/AVP 0  8\r\n", MEDIA},
    /* attributes */
    {SESSION M "a=\r\n", ATTRIBUTE},
    {SESSION M "a=:x\r\n", ATTRIBUTE},
    {SESSION M "a=mid:\r\n", ATTRIBUTE},
    {SESSION M "a=m d:0\r\n", ATTRIBUTE},
    {SESSION M "a=ice-ufrag\r\n", VALUE},
    {SESSION M "a=fingerprint\r\n", VALUE},
    {SESSION M "a=mid:a b\r\n", "a=mid is not a token"},
    {SESSION M "a=candidate:1 1 udp 1 nowhere\r\n", "a=candidate is not a candidate"},
    {SESSION M "a=candidate\r\n", VALUE},
    {SESSION AUDIO FINGERPRINT "a=ice-ufrag:abc\r\n", UFRAG},
    {SESSION AUDIO FINGERPRINT "a=ice-ufrag:ab cd\r\n", UFRAG},
    {SESSION AUDIO FINGERPRINT "a=ice-ufrag:ab-cd\r\n", UFRAG},
    {SESSION AUDIO FINGERPRINT "a=ice-pwd:tooshort\r\n", PWD},
    {SESSION AUDIO FINGERPRINT "a=ice-pwd:x9cml/YzichV2+XlhiMu8g=w\r\n", PWD},
    {SESSION AUDIO "a=fingerprint:sha-256\r\n", HASH},
    {SESSION AUDIO "a=fingerprint:sha-256 \r\n", HASH},
    {SESSION AUDIO "a=fingerprint:sha-256 D2FA0EC3\r\n", HASH},
    {SESSION AUDIO "a=fingerprint:sha-256 D2:FA:0G\r\n", HASH},
    {SESSION AUDIO "a=fingerprint:sha-256 D2:FA:0\r\n", HASH},
    {SESSION AUDIO "a=fingerprint:sha-256 D2:FA:0E:\r\n", HASH},
    {SESSION AUDIO "a=fingerprint: D2:FA:0E\r\n", HASH},
    {SESSION AUDIO "a=fingerprint:sha-256 D2:FA:0E\r\n", "a=fingerprint has not the length of its hash"},
    {SESSION AUDIO "a=fingerprint:SHA-1 D2:FA:0E\r\n", "a=fingerprint has not the length of its hash"},
    /* what a section must have */
    {SESSION AUDIO, "a media section has no a=fingerprint"},
    {SESSION AUDIO ICE, "a media section has no a=fingerprint"},
    {SESSION AUDIO FINGERPRINT, "a media section has no a=ice-ufrag"},
    {SESSION AUDIO FINGERPRINT "a=ice-ufrag:F7gI\r\n", "a media section has no a=ice-pwd"},
    {SESSION AUDIO FINGERPRINT "a=ice-pwd:x9cml/YzichV2+XlhiMu8gTw\r\n",
     "a media section has no a=ice-ufrag"},
    {SESSION FINGERPRINT AUDIO ICE AUDIO, "a media section has no a=ice-ufrag"},
    {SESSION M AUDIO, "a media section has no a=fingerprint"},
    {SESSION "a=group:LS 0 1\r\n" M "a=mid:0\r\n" AUDIO "a=mid:1\r\n",
     "a media section has no a=fingerprint"},
    {SESSION "a=group:BUNDLE 0\r\n" M "a=mid:0\r\n" AUDIO "a=mid:1\r\n",
     "a media section has no a=fingerprint"},
    {SESSION "a=group:BUNDLE 0 1\r\n" M "a=mid:0\r\n" AUDIO, "a media section has no a=fingerprint"},
    {SESSION "a=group:BUNDLE 1 0\r\n" M "a=mid:0\r\n" AUDIO "a=mid:1\r\n",
     "a media section has no a=fingerprint"},
    {SESSION "a=group:BUNDLE 9 1\r\n" M "a=mid:0\r\n" AUDIO "a=mid:1\r\n",
     "a media section has no a=fingerprint"},
};

static void each_mistake_is_named(void **state)
{
    (void)state;
    size_t count = sizeof refused / sizeof refused[0];
    assert_true(count >= 60);
    for (size_t i = 0; i < count; i++) {
        const char *reason = NULL;
        enum err err = sdp_check(str_of(refused[i].text), &reason);
        if (err != ERR_INVALID_SDP || strcmp(reason, refused[i].reason) != 0)
            fail_msg("text %zu: err %d, \"%s\" instead of \"%s\"", i, err, reason ? reason : "-",
                     refused[i].reason);
    }
}

/* One attribute of 20 characters, with these bytes at `at`. */
static enum err check_with(const char *bytes, size_t n, size_t at, const char **reason)
{
    char text[] = SESSION M "a=x:xxxxxxxxxxxxxxxxxxxx\r\n";
    memcpy(text + sizeof text - 1 - 22 + at, bytes, n);
    return sdp_check((struct str){text, sizeof text - 1}, reason);
}

static void control_characters_are_found_wherever_they_stand(void **state)
{
    (void)state;
    for (size_t at = 0; at < 20; at++) {
        for (int c = 0; c < 0x80; c++) {
            const char byte = (char)c, *reason = NULL;
            if (c == '\n')
                continue;
            enum err err = check_with(&byte, 1, at, &reason);
            bool is_control = c < ' ' || c == 0x7F;
            if (err != (is_control ? ERR_INVALID_SDP : OK) || (is_control && strcmp(reason, CONTROL) != 0))
                fail_msg("byte %d at %zu: err %d, \"%s\"", c, at, err, reason ? reason : "-");
        }
    }
}

static void other_bytes_are_no_control_characters(void **state)
{
    (void)state;
    static const char *const texts[] = {"\u00a0", "\u00ff", "\U0010ffff", "~\u00a0", " \u00ff", "\u00ff~ "};
    const char *reason;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (size_t at = 0; at + strlen(texts[i]) <= 20; at++)
            assert_int_equal(check_with(texts[i], strlen(texts[i]), at, &reason), OK);
}

static void ten_kib_is_the_limit(void **state)
{
    (void)state;
    struct buf text = {0};
    const char *reason;
    buf_addz(&text, SESSION M "a=x:");
    while (text.n < SDP_MAX_BYTES)
        buf_addc(&text, 'x');
    assert_int_equal(sdp_check(buf_str(&text), &reason), OK);
    buf_addc(&text, 'x');
    assert_int_equal(sdp_check(buf_str(&text), &reason), ERR_INVALID_SDP);
    assert_string_equal(reason, "longer than 10 KiB");
    buf_done(&text);
}

static void sixty_four_sections_are_the_limit(void **state)
{
    (void)state;
    struct buf text = {0};
    const char *reason;
    buf_addz(&text, SESSION CREDENTIALS);
    for (int i = 0; i < 64; i++)
        buf_addz(&text, "m=audio 9 RTP/AVP 0\r\n");
    assert_int_equal(sdp_check(buf_str(&text), &reason), OK);
    buf_addz(&text, "m=audio 9 RTP/AVP 0\r\n");
    assert_int_equal(sdp_check(buf_str(&text), &reason), ERR_INVALID_SDP);
    assert_string_equal(reason, "too many m= sections");
    buf_done(&text);
}

/* Every prefix and every one-byte change of a good text gets an answer, within the text's bounds (the
 * sanitizers watch). */
static void damaged_texts_get_an_answer(void **state)
{
    (void)state;
    static const char bytes[] = {'\0', '\r', '\n', ' ', ':', '=', '/', '9', 'z', '\xC3'};
    size_t n = sizeof chrome_offer - 1, refusals = 0;
    for (size_t i = 0; i < n; i++) {
        const char *reason = NULL;
        char *prefix = malloc(i ? i : 1), *text = malloc(n); /* exact sizes: one byte too far is caught */
        memcpy(prefix, chrome_offer, i);
        refusals += sdp_check((struct str){prefix, i}, &reason) != OK;
        for (size_t b = 0; b < sizeof bytes; b++) {
            memcpy(text, chrome_offer, n);
            text[i] = bytes[b];
            refusals += sdp_check((struct str){text, n}, &reason) != OK;
            sdp_ice_ufrag((struct str){text, n});
        }
        free(prefix);
        free(text);
    }
    assert_true(refusals > n);
}

static void the_first_ufrag_is_found(void **state)
{
    (void)state;
    assert_true(str_eqz(sdp_ice_ufrag(str_of(chrome_offer)), "Xk4j"));
    assert_true(str_eqz(sdp_ice_ufrag(str_of(firefox_offer)), "1b2c3d4e"));
    assert_true(str_eqz(sdp_ice_ufrag(STR("a=ice-ufrag:last")), "last"));
    assert_null(sdp_ice_ufrag(STR(SESSION AUDIO)).p);
    assert_null(sdp_ice_ufrag(STR("x=a=ice-ufrag:no\r\n")).p);
    assert_null(sdp_ice_ufrag((struct str){NULL, 0}).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browsers_are_accepted),
        cmocka_unit_test(the_last_line_end_may_be_missing),
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(control_characters_are_found_wherever_they_stand),
        cmocka_unit_test(other_bytes_are_no_control_characters),
        cmocka_unit_test(ten_kib_is_the_limit),
        cmocka_unit_test(sixty_four_sections_are_the_limit),
        cmocka_unit_test(damaged_texts_get_an_answer),
        cmocka_unit_test(the_first_ufrag_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
