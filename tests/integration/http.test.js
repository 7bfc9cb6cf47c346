// HTTP as bytes: connections, pipelining, methods, limits, and what malformed or slow clients get.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawConnection } from '../lib/http.js';
import { API } from '../lib/learner.js';
import { World } from '../lib/world.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ORIGIN = 'https://app.example.com';
const TOPICS = `${API}/topics?targetLanguageCode=en`;

let world;
let learner;
let auth;
before(async () => {
  world = await World.create({ env: { CORS_ALLOWED_ORIGINS: `https://other.example.com,${ORIGIN}` } });
  learner = world.learner();
  auth = `Authorization: Bearer ${learner.token}\r\n`;
});
after(() => world.stop());

const open = () => RawConnection.open(world.daemon.port);
const get = (path, headers = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const post = (path, body, headers = '') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;

// Sends `parts` on a connection of their own and answers the first response.
async function exchange(...parts) {
  const connection = await open();
  connection.send(...parts);
  const response = await connection.response();
  return { connection, response };
}

function errorBody(response, status, error, message) {
  assert.equal(response.status, status, response.text);
  assert.equal(response.body.statusCode, status);
  assert.equal(response.body.error, error);
  assert.equal(response.body.message, message);
  assert.equal(response.body.correlationId, response.headers['x-correlation-id']);
}

describe('connections', { concurrency: true }, () => {
  it('are kept alive', async () => {
    const connection = await open();
    for (let i = 0; i < 5; i++) {
      connection.send(get('/healthz'));
      assert.equal((await connection.response()).status, 200);
    }
    assert.equal(connection.ended, false);
    connection.destroy();
  });

  it('are closed after the answer when the client asks for it', async () => {
    const { connection, response } = await exchange(get('/healthz', 'Connection: close\r\n'));
    assert.equal(response.headers.connection?.toLowerCase(), 'close');
    assert.equal(await connection.closed(), '');
  });

  it('of HTTP/1.0 are closed unless kept', async () => {
    const closing = await exchange('GET /healthz HTTP/1.0\r\n\r\n');
    assert.equal(closing.response.status, 200);
    await closing.connection.closed();
    const kept = await exchange('GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    kept.connection.send('GET /healthz HTTP/1.0\r\n\r\n');
    assert.equal((await kept.connection.response()).status, 200);
    await kept.connection.closed();
  });

  it('take pipelined requests and answer them in order', async () => {
    const connection = await open();
    const paths = [
      TOPICS,
      '/healthz',
      '/nowhere',
      `${API}/history`,
      `${API}/match-request/status`,
      '/readyz',
      TOPICS,
    ];
    connection.send(
      paths.map((path, i) => get(path, `${auth}X-Correlation-Id: pipelined-${i}\r\n`)).join(''),
    );
    const statuses = [];
    for (const [i] of paths.entries()) {
      const response = await connection.response();
      assert.equal(response.headers['x-correlation-id'], `pipelined-${i}`);
      statuses.push(response.status);
    }
    assert.deepEqual(statuses, [200, 200, 404, 200, 404, 200, 200]);
    connection.destroy();
  });

  it('take hundreds of pipelined requests', async () => {
    const connection = await open();
    const count = 300;
    connection.send(get('/healthz').repeat(count));
    for (let i = 0; i < count; i++) assert.equal((await connection.response()).status, 200);
    connection.destroy();
  });

  it('take a request in any pieces', async () => {
    const connection = await open();
    for (const byte of get(TOPICS, auth)) connection.send(byte);
    assert.equal((await connection.response()).status, 200);
    const body = '{"targetLanguageCode":"en"}';
    for (const piece of post(`${API}/match-request`, body, auth).match(/[^]{1,7}/g)) connection.send(piece);
    assert.equal((await connection.response()).status, 400);
    connection.destroy();
  });

  it('take a chunked body', async () => {
    const body = '{"targetLanguageCode":7,"topicCode":"free_talk"}';
    const chunks = body
      .match(/.{1,9}/g)
      .map((c) => `${c.length.toString(16)}\r\n${c}\r\n`)
      .join('');
    const { connection, response } = await exchange(
      `POST ${API}/match-request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n${auth}\r\n${chunks}0\r\n\r\n`,
    );
    errorBody(response, 400, 'Bad Request', 'INVALID_REQUEST');
    assert.equal(response.body.details[0].field, 'targetLanguageCode');
    connection.destroy();
  });

  it('answer Expect: 100-continue before the body', async () => {
    const connection = await open();
    const body = '{}';
    connection.send(
      `POST ${API}/match-request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n${auth}\r\n`,
    );
    assert.equal((await connection.response()).status, 100);
    connection.send(body);
    errorBody(await connection.response(), 400, 'Bad Request', 'INVALID_REQUEST');
    connection.destroy();
  });

  it('end when the client closes its side, as with Node: it has left, and what it asked is dropped', async () => {
    const connection = await open();
    connection.send(get(TOPICS, auth));
    connection.finish();
    await connection.closed();
  });

  it('may be dropped in the middle of anything', async () => {
    const whole = post(`${API}/match-request`, '{"targetLanguageCode":"en"}', auth);
    for (const length of [0, 1, 20, 60, whole.length - 1, whole.length]) {
      const connection = await open();
      connection.send(whole.slice(0, length));
      connection.destroy();
    }
    assert.equal((await world.rest.call('GET', '/healthz')).status, 200);
  });
});

describe('methods', { concurrency: true }, () => {
  it('HEAD answers as GET without the body', async () => {
    for (const path of [TOPICS, '/healthz', '/readyz']) {
      const connection = await open();
      connection.send(get(path, auth), get(path, auth).replace('GET', 'HEAD'), get('/healthz'));
      const [full, head] = [await connection.response(), await connection.response({ head: true })];
      assert.equal(head.status, full.status);
      assert.equal(head.headers['content-length'], full.headers['content-length'], path);
      assert.equal(head.headers['content-type'], full.headers['content-type']);
      assert.equal((await connection.response()).status, 200, 'the connection is still in step');
      connection.destroy();
    }
  });

  it('a wrong method gets 405 with Allow', async () => {
    const cases = {
      [`${API}/topics`]: ['DELETE', ['GET', 'HEAD', 'OPTIONS']],
      [`${API}/match-request`]: ['GET', ['POST', 'OPTIONS']],
      '/healthz': ['POST', ['GET', 'HEAD', 'OPTIONS']],
    };
    for (const [path, [method, allow]] of Object.entries(cases)) {
      const answer = await learner.rest.call(method, path, { token: learner.token });
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.body.message, 'METHOD_NOT_ALLOWED');
      assert.deepEqual(answer.headers.allow.split(/,\s*/).sort(), allow.sort(), path);
    }
  });

  it('an unknown route gets 404', async () => {
    for (const path of [
      '/',
      '/api',
      API,
      `${API}/`,
      `${API}/nowhere`,
      `${API}/topics/a/b`,
      '/healthz/x',
      '//healthz',
    ]) {
      const answer = await learner.rest.call('GET', path, { token: learner.token });
      assert.equal(answer.status, 404, path);
      assert.equal(answer.body.message, 'NOT_FOUND', path);
    }
  });

  it('a method of WebDAV, which this API never has, gets 501', async () => {
    const { connection, response } = await exchange(`PROPFIND ${API}/topics HTTP/1.1\r\nHost: x\r\n\r\n`);
    errorBody(response, 501, 'Not Implemented', 'NOT_IMPLEMENTED');
    connection.send(get('/healthz'));
    assert.equal((await connection.response()).status, 200, 'the connection is still in step');
    connection.destroy();
  });
});

describe('CORS', { concurrency: true }, () => {
  const preflight = (origin, method = 'POST') =>
    world.rest.call('OPTIONS', `${API}/match-request`, {
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization,content-type',
      },
    });

  it('a preflight of an allowed origin is granted', async () => {
    const answer = await preflight(ORIGIN);
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
    assert.match(answer.headers['access-control-allow-methods'], /POST/);
    assert.match(answer.headers['access-control-allow-headers'], /authorization/i);
    assert.match(answer.headers['access-control-allow-headers'], /content-type/i);
    assert.match(answer.headers.vary ?? '', /origin/i);
  });

  it('a preflight of another origin is not', async () => {
    for (const origin of ['https://evil.example.com', `${ORIGIN}.evil.com`, 'null']) {
      const answer = await preflight(origin);
      assert.equal(answer.headers['access-control-allow-origin'], undefined, origin);
    }
  });

  it('answers, errors too, carry the allowed origin and expose the correlation id', async () => {
    for (const token of [learner.token, undefined]) {
      const answer = await world.rest.call('GET', TOPICS, { token, headers: { origin: ORIGIN } });
      assert.equal(answer.status, token ? 200 : 401);
      assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
      assert.match(answer.headers['access-control-expose-headers'] ?? '', /x-correlation-id/i);
    }
    const foreign = await world.rest.call('GET', TOPICS, {
      token: learner.token,
      headers: { origin: 'https://evil.example.com' },
    });
    assert.equal(foreign.headers['access-control-allow-origin'], undefined);
  });

  it('OPTIONS without an origin names the methods', async () => {
    const answer = await world.rest.call('OPTIONS', `${API}/topics`);
    assert.equal(answer.status, 204);
    assert.match(answer.headers.allow, /GET/);
  });
});

describe('correlation ids', { concurrency: true }, () => {
  const idOf = async (headers) =>
    (await world.rest.call('GET', '/healthz', { headers })).headers['x-correlation-id'];

  it('are made when there is none', async () => {
    const [one, two] = [await idOf({}), await idOf({})];
    assert.match(one, UUID);
    assert.notEqual(one, two);
  });

  it('are taken over from X-Correlation-Id, else X-Request-Id', async () => {
    assert.equal(await idOf({ 'x-correlation-id': 'abc-DEF_1.2' }), 'abc-DEF_1.2');
    assert.equal(await idOf({ 'x-request-id': 'r-1' }), 'r-1');
    assert.equal(await idOf({ 'x-request-id': 'r-1', 'x-correlation-id': 'c-1' }), 'c-1');
  });

  it('are replaced when ill-formed', async () => {
    for (const bad of ['a b', 'x'.repeat(300), '"quoted"', '<script>', 'é']) {
      assert.match(await idOf({ 'x-correlation-id': bad }), UUID, bad);
    }
  });

  it('reach the log and the events of a request', async () => {
    const id = `trace-${process.pid}`;
    const asker = world.learner();
    const answer = await asker.call(
      'POST',
      '/match-request',
      { targetLanguageCode: 'en', topicCode: 'free_talk' },
      { headers: { 'x-correlation-id': id } },
    );
    assert.equal(answer.status, 201);
    await world.daemon.log(`with correlationId ${id}`, (line) => line.correlationId === id);
    const events = await world.db.query('SELECT event_type FROM event_outbox WHERE correlation_id = $1', [
      id,
    ]);
    assert.deepEqual(events, [{ event_type: 'match.requested' }]);
    await asker.cancelMatch(answer.body.matchRequest.id);
  });
});

describe('limits', { concurrency: true }, () => {
  const big = `{"x":"${'y'.repeat(65_536)}"}`;

  it('a body over 64 KiB gets 413 before it is read', async () => {
    const { connection, response } = await exchange(
      `POST ${API}/match-request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${big.length}\r\n${auth}\r\n`,
    );
    errorBody(response, 413, 'Content Too Large', 'PAYLOAD_TOO_LARGE');
    await connection.closed();
  });

  it('a chunked body over 64 KiB gets 413 when it crosses', async () => {
    const connection = await open();
    const chunk = 'y'.repeat(8192);
    connection.send(
      `POST ${API}/match-request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n${auth}\r\n`,
    );
    for (let i = 0; i < 9; i++) connection.send(`2000\r\n${chunk}\r\n`);
    errorBody(await connection.response(), 413, 'Content Too Large', 'PAYLOAD_TOO_LARGE');
    connection.destroy();
  });

  it('headers beyond the limit get 431 and the connection is closed', async () => {
    const { connection, response } = await exchange(get('/healthz', `X-Big: ${'y'.repeat(70_000)}\r\n`));
    errorBody(response, 431, 'Request Header Fields Too Large', 'HEADERS_TOO_LARGE');
    await connection.closed();
  });

  it('too many headers get 431', async () => {
    const { connection, response } = await exchange(
      get('/healthz', Array.from({ length: 2000 }, (_, i) => `X-${i}: ${i}\r\n`).join('')),
    );
    errorBody(response, 431, 'Request Header Fields Too Large', 'HEADERS_TOO_LARGE');
    await connection.closed();
  });

  it('a request line beyond the limit gets 414', async () => {
    const { connection, response } = await exchange(get(`/healthz?${'y'.repeat(70_000)}`));
    errorBody(response, 414, 'URI Too Long', 'URI_TOO_LONG');
    await connection.closed();
  });

  it('an ordinary long token passes', async () => {
    const padded = world.learner({ userId: learner.userId, padding: 'y'.repeat(4000) });
    assert.equal((await padded.topics()).status, 200);
  });

  it('a body of another media type gets 415', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', '']) {
      const answer = await learner.call('POST', '/match-request', '{}', {
        headers: { 'content-type': type },
      });
      assert.equal(answer.status, 415, type);
      assert.equal(answer.body.message, 'UNSUPPORTED_MEDIA_TYPE');
    }
    for (const type of ['application/json; charset=utf-8', 'Application/JSON']) {
      const answer = await learner.call('POST', '/match-request', '{}', {
        headers: { 'content-type': type },
      });
      assert.equal(answer.status, 400, type);
    }
  });

  it('a body that is not a JSON object gets 400', async () => {
    for (const body of [
      '',
      '{',
      'nope',
      '[]',
      '"x"',
      '7',
      'null',
      '{"a":1} x',
      '{"a":"\xff"}',
      `${'['.repeat(5000)}`,
      '{"topicCode":"a\\u0000b"}',
    ]) {
      const data = Buffer.from(body, 'latin1');
      const answer = await learner.call('POST', '/match-request', data);
      assert.equal(answer.status, 400, `${body.slice(0, 20)}: ${answer.text}`);
      assert.equal(answer.body.message, 'INVALID_REQUEST');
    }
  });
});

describe('malformed requests get 400 and the connection is closed', { concurrency: true }, () => {
  const MALFORMED = {
    garbage: 'hello\r\n\r\n',
    'binary garbage': Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]),
    'no version': 'GET /healthz\r\n\r\n',
    'a wrong version': 'GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n',
    'a space in a header name': get('/healthz', 'Bad Name: x\r\n'),
    'a header without a colon': get('/healthz', 'nothing\r\n'),
    'a bare CR in a header': get('/healthz', 'X: a\rb\r\n'),
    'NUL in a header': get('/healthz', 'X: a\0b\r\n'),
    'a Content-Length that is no number': get('/healthz', 'Content-Length: ten\r\n'),
    'a negative Content-Length': get('/healthz', 'Content-Length: -1\r\n'),
    'two Content-Lengths': get('/healthz', 'Content-Length: 1\r\nContent-Length: 2\r\n'),
    'length and chunked together': get('/healthz', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'),
    'a bad chunk size': `POST ${API}/match-request HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    'HTTP/1.1 without Host': 'GET /healthz HTTP/1.1\r\n\r\n',
    'two Hosts': get('/healthz', 'Host: y\r\n'),
  };
  for (const [what, bytes] of Object.entries(MALFORMED)) {
    it(what, async () => {
      const { connection, response } = await exchange(bytes);
      assert.equal(response.status, 400, response.text);
      assert.equal(response.body.message, 'INVALID_REQUEST');
      await connection.closed();
    });
  }

  it('and what was pipelined before it is answered first', async () => {
    const connection = await open();
    connection.send(get('/healthz'), 'garbage\r\n\r\n');
    assert.equal((await connection.response()).status, 200);
    assert.equal((await connection.response()).status, 400);
    await connection.closed();
  });

  it('a bad escape or parameter in the path is 400 or 404, never more', async () => {
    for (const path of [
      `${API}/topics/%zz`,
      `${API}/sessions/%00`,
      `${API}/sessions/nope`,
      `${API}/topics?targetLanguageCode=%ff`,
      `${API}/history?limit=abc`,
      `${API}/history?limit=101`,
      `${API}/history?offset=-1`,
    ]) {
      const answer = await learner.rest.call('GET', path, { token: learner.token });
      assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status} ${answer.text}`);
    }
  });
});

describe('ETags', () => {
  it('an unchanged topic list is 304 without a body', async () => {
    const first = await learner.topics();
    assert.ok(first.headers.etag);
    const again = await learner.call('GET', '/topics?targetLanguageCode=en', undefined, {
      headers: { 'if-none-match': first.headers.etag },
    });
    assert.equal(again.status, 304);
    assert.equal(again.text, '');
    assert.equal(again.headers.etag, first.headers.etag);
    const other = await learner.call('GET', '/topics?targetLanguageCode=fr', undefined, {
      headers: { 'if-none-match': first.headers.etag },
    });
    assert.equal(other.status, 200);
  });
});

describe('operations', () => {
  it('answers health, readiness, metrics and the API description without a token', async () => {
    assert.equal((await world.rest.call('GET', '/healthz')).status, 200);
    const ready = await world.rest.call('GET', '/readyz');
    assert.deepEqual(ready.body, {
      status: 'ready',
      checks: { postgresql: 'ok', redis: 'ok', migrations: 'ok', draining: 'ok' },
    });
    const metrics = await world.rest.call('GET', '/metrics');
    assert.match(metrics.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    assert.match(metrics.text, /^dependency_up\{dependency="postgresql"\} 1$/m);
    const openapi = await world.rest.call('GET', '/openapi.json');
    assert.match(openapi.body.openapi, /^3\.1/);
  });
});

describe('stopping', () => {
  it('ends with status 0 while clients are connected', async () => {
    const its = await World.create();
    try {
      const { sa } = await its.conversation();
      const idle = await RawConnection.open(its.daemon.port);
      const started = performance.now();
      await its.daemon.stop();
      const seconds = (performance.now() - started) / 1000;
      assert.ok(seconds < 15, `it took ${seconds.toFixed(1)} of its 30 s, though no request was under way`);
      await idle.closed();
      await sa.disconnected();
    } finally {
      await its.stop();
    }
  });
});
