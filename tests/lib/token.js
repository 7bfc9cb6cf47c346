// JWTs for tests, good ones and every kind of bad one; made with node:crypto alone.
import crypto from 'node:crypto';

const b64 = (data) => Buffer.from(data).toString('base64url');

export function rsaKeys() {
  return crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
}

export function ecKeys(namedCurve = 'P-256') {
  return crypto.generateKeyPairSync('ec', { namedCurve });
}

export function publicPem(keys) {
  return keys.publicKey.export({ type: 'spki', format: 'pem' });
}

const SIGNERS = {
  RS256: (input, key) => crypto.sign('sha256', input, key),
  RS384: (input, key) => crypto.sign('sha384', input, key),
  RS512: (input, key) => crypto.sign('sha512', input, key),
  ES256: (input, key) => crypto.sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }), // RFC 7518 section 3.4
  HS256: (input, secret) => crypto.createHmac('sha256', secret).update(input).digest(),
  none: () => Buffer.alloc(0),
};

// `signer` is a private key; for HS256 the secret. `header` adds to or replaces alg and typ.
export function sign(claims, signer, { alg = 'RS256', header = {} } = {}) {
  const input = `${b64(JSON.stringify({ alg, typ: 'JWT', ...header }))}.${b64(JSON.stringify(claims))}`;
  return `${input}.${b64(SIGNERS[alg](Buffer.from(input), signer))}`;
}

// The claims of a learner; `undefined` leaves a claim out.
export function claimsOf({ userId, name, native, levels, tier, ...more }, lifeSeconds = 3600) {
  const now = Math.floor(Date.now() / 1000);
  return {
    sub: userId,
    name,
    tier,
    nativeLanguageCode: native,
    levels,
    iat: now,
    exp: now + lifeSeconds,
    ...more,
  };
}

// Tokens that must be refused, each with the reason; `keys` is the pair the daemon trusts (RSA).
export function badTokens(keys, claims) {
  const good = sign(claims, keys.privateKey);
  const [header, payload, signature] = good.split('.');
  const now = Math.floor(Date.now() / 1000);
  const otherKeys = rsaKeys();
  const resign = (changed, options) => sign({ ...claims, ...changed }, keys.privateKey, options);
  return {
    'not a token': 'nonsense',
    'two parts': `${header}.${payload}`,
    'four parts': `${good}.x`,
    'no signature': `${header}.${payload}.`,
    'wrong key': sign(claims, otherKeys.privateKey),
    'changed claims': `${header}.${b64(JSON.stringify({ ...claims, tier: 'premium', x: 1 }))}.${signature}`,
    'alg none': sign(claims, null, { alg: 'none' }),
    'HMAC with the public key': sign(claims, publicPem(keys), { alg: 'HS256' }),
    'EC key of a stranger': sign(claims, ecKeys().privateKey, { alg: 'ES256' }),
    'unknown critical header': resign({}, { header: { crit: ['x'], x: 1 } }),
    'header not JSON': `${b64('{')}.${payload}.${signature}`,
    expired: resign({ exp: now - 60 }), // beyond the 30 s of leeway
    'no exp': resign({ exp: undefined }),
    'exp a string': resign({ exp: String(now + 60) }),
    'not yet valid': resign({ nbf: now + 600 }),
    'no sub': resign({ sub: undefined }),
    'sub not a UUID': resign({ sub: 'ana' }),
  };
}
