// SDP and candidates as browsers make them, for one audio track.
export function sdp(setup = 'actpass', ufrag = 'F7gI') {
  return [
    'v=0',
    'o=- 4611731400430051336 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'a=extmap-allow-mixed',
    'a=msid-semantic: WMS 7a1c0b5e',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126',
    'c=IN IP4 0.0.0.0',
    'a=rtcp:9 IN IP4 0.0.0.0',
    `a=ice-ufrag:${ufrag}`,
    'a=ice-pwd:x9cml/YzichV2+XlhiMu8gTw',
    'a=ice-options:trickle',
    'a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F',
    `a=setup:${setup}`,
    'a=mid:0',
    'a=sendrecv',
    'a=msid:7a1c0b5e 2b4f',
    'a=rtcp-mux',
    'a=rtpmap:111 opus/48000/2',
    'a=fmtp:111 minptime=10;useinbandfec=1',
    'a=ssrc:3735928559 cname:o/i14u9pJrxRKAsu',
    '',
  ].join('\r\n');
}

export function candidate(port, ufrag = 'F7gI') {
  return {
    candidate: `candidate:842163049 1 udp 1677729535 198.51.100.7 ${port} typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag ${ufrag} network-cost 999`,
    sdpMid: '0',
    sdpMLineIndex: 0,
    usernameFragment: ufrag,
  };
}

export const END_OF_CANDIDATES = { candidate: '', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'F7gI' };
