// What HTTP/1.1 forbids (RFC 9112) gets one answer, byte by byte as here, and the end of the connection; nothing of it
// and nothing behind it is acted on.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawConnection } from '../lib/http.js';
import { API } from '../lib/learner.js';
import { World } from '../lib/world.js';

const REASONS = {
  400: ['Bad Request', 'INVALID_REQUEST'],
  413: ['Content Too Large', 'PAYLOAD_TOO_LARGE'],
  414: ['URI Too Long', 'URI_TOO_LONG'],
  417: ['Expectation Failed', 'EXPECTATION_FAILED'],
  431: ['Request Header Fields Too Large', 'HEADERS_TOO_LARGE'],
  501: ['Not Implemented', 'NOT_IMPLEMENTED'],
};
const ID = 'strict-1'; // where the request got so far; else the daemon makes one up
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const HIDDEN = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'; // what a smuggler hides
const MALFORMED = 'malformed HTTP request';
const VERSION = 'HTTP version not supported';
const HOST = 'Host is not valid';
const ONE_HOST = 'exactly one Host header is required';
const TARGET = 'the request target must be an absolute path or an http URI';
const REPEATED = 'a header field is repeated that may come once only';
const NO_BODY = 'GET and HEAD have no body';
const LAST_CODING = 'chunked must be the last transfer coding, once';

let world;
let auth;
before(async () => {
  world = await World.create();
  auth = `Authorization: Bearer ${world.learner().token}\r\n`;
});
after(() => world.stop());

// The whole answer to a refused request.
function refusal(status, reason, id) {
  const [error, message] = REASONS[status];
  const details = [{ reason }];
  const body = JSON.stringify({ statusCode: status, error, message, details, correlationId: id });
  return [
    `HTTP/1.1 ${status} ${error}`,
    'Connection: close',
    'Date: DATE',
    'Cache-Control: no-store',
    `X-Correlation-Id: ${id}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

// Everything that comes until the daemon closes.
async function answerTo(bytes) {
  const connection = await RawConnection.open(world.daemon.port);
  connection.send(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  return (await connection.closed()).replace(/Date: [^\r]*/, 'Date: DATE');
}

async function expectRefusal(bytes, status, reason) {
  const answer = await answerTo(bytes);
  const made = answer.match(UUID)?.[0]; // no id was read before the request went bad
  const expected = refusal(status, reason, made ?? ID);
  assert.equal(answer, expected);
}

const head = (line, ...fields) =>
  `${[line, `X-Correlation-Id: ${ID}`, ...fields].map((text) => `${text}\r\n`).join('')}\r\n`;
const get = (...fields) => head('GET /healthz HTTP/1.1', ...fields);
const post = (...fields) => head(`POST ${API}/match-request HTTP/1.1`, 'Host: x', ...fields);
const chunked = (chunks) => post('Transfer-Encoding: chunked') + chunks;

function table(title, rows, status = 400) {
  describe(title, { concurrency: 8 }, () => {
    for (const [name, bytes, reason = MALFORMED, its = status] of rows)
      it(name, () => expectRefusal(bytes + HIDDEN, its, reason));
  });
}

table('the request line', [
  ['garbage', 'hello\r\n\r\n'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00'],
  ['HTTP/0.9', 'GET /healthz\r\n'],
  ['HTTP/0.9 in so many words', head('GET /healthz HTTP/0.9', 'Host: x')],
  ['HTTP/1.2', head('GET /healthz HTTP/1.2', 'Host: x'), VERSION],
  ['HTTP/2.0', head('GET /healthz HTTP/2.0', 'Host: x')],
  ['HTTP/9.9', head('GET /healthz HTTP/9.9', 'Host: x'), VERSION],
  ['HTTP/1.10', head('GET /healthz HTTP/1.10', 'Host: x'), VERSION],
  ['http/1.1', head('GET /healthz http/1.1', 'Host: x')],
  ['another protocol', head('GET /healthz RTSP/1.0', 'Host: x')],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a method nobody knows', head('BREW /healthz HTTP/1.1', 'Host: x')],
  ['a method in small letters', head('get /healthz HTTP/1.1', 'Host: x')],
  ['a method of no letters', head('@@@ /healthz HTTP/1.1', 'Host: x')],
  ['a method of 10,000 letters', head(`${'G'.repeat(10_000)} /healthz HTTP/1.1`, 'Host: x')],
  ['a space before it', ` ${get('Host: x')}`],
  ['two spaces', head('GET  /healthz HTTP/1.1', 'Host: x')],
  ['a tab', head('GET\t/healthz HTTP/1.1', 'Host: x')],
  ['a space behind it', head('GET /healthz HTTP/1.1 ', 'Host: x'), VERSION],
  ['a lone LF behind it', `GET /healthz HTTP/1.1\nHost: x\r\n\r\n`],
  ['a lone CR behind it', `GET /healthz HTTP/1.1\rHost: x\r\n\r\n`, VERSION],
  ['NUL in the target', head('GET /health\0z HTTP/1.1', 'Host: x')],
  ['a control character in the target', head('GET /health\x01z HTTP/1.1', 'Host: x')],
  ['a byte that is not ASCII in the target', head('GET /health\xe9 HTTP/1.1', 'Host: x')],
  ['a fragment', head('GET /healthz#top HTTP/1.1', 'Host: x'), 'the request target has a fragment'],
  ['a relative target', head('GET healthz HTTP/1.1', 'Host: x')],
  ['authority-form', head('CONNECT x:443 HTTP/1.1', 'Host: x:443'), TARGET],
  ['asterisk-form of another method than OPTIONS', head('GET * HTTP/1.1', 'Host: x'), TARGET],
  ['another scheme', head('GET ftp://x/healthz HTTP/1.1', 'Host: x'), TARGET],
  ['a user in the target', head('GET http://me@x/healthz HTTP/1.1', 'Host: x'), HOST],
  ['no host in the target', head('GET http:///healthz HTTP/1.1', 'Host: x'), HOST],
]);

table('Host', [
  ['none', get(), ONE_HOST],
  ['two', get('Host: x', 'Host: x'), ONE_HOST],
  ['two in HTTP/1.0', head('GET /healthz HTTP/1.0', 'Host: x', 'host: y'), ONE_HOST],
  ['empty', get('Host:'), HOST],
  ['two in one field', get('Host: x, y'), HOST],
  ['with a path', get('Host: x/y'), HOST],
  ['with a user', get('Host: me@x'), HOST],
  ['with a bad port', get('Host: x:port'), HOST],
  ['with a port beyond all', get('Host: x:65536'), HOST],
  ['of only a port', get('Host: :80'), HOST],
  ['an IPv6 address without brackets', get('Host: ::1'), HOST],
  ['not ASCII', get('Host: caf\xe9'), HOST],
]);

table('header fields', [
  ['without a colon', get('Host: x', 'nothing')],
  ['without a name', get('Host: x', ': a')],
  ['a space in the name', get('Host: x', 'Bad Name: a')],
  ['a space before the colon', get('Host: x', 'Bad : a')],
  ['a tab before the colon', get('Host: x', 'Bad\t: a')],
  ['a byte that is not ASCII in the name', get('Host: x', 'B\xe9d: a')],
  ['continued on the next line', get('Host: x', 'X: a', ' b')],
  ['continued by a tab', get('Host: x', 'X: a', '\tb')],
  ['begun by a continuation', `GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n`],
  ['NUL in the value', get('Host: x', 'X: a\0b')],
  ['a control character in the value', get('Host: x', 'X: a\x1bb')],
  ['DEL in the value', get('Host: x', 'X: a\x7fb')],
  ['a lone CR in the value', get('Host: x', 'X: a\rb')],
  ['a lone LF in the value', get('Host: x', 'X: a\nb')],
  ['a lone LF at the end', `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Correlation-Id: ${ID}\n\r\n`],
  ['a lone LF as the empty line', `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Correlation-Id: ${ID}\r\n\n`],
  ['two tokens', get('Host: x', 'Authorization: Bearer a', 'Authorization: Bearer b'), REPEATED],
  ['two media types', post('Content-Type: application/json', 'Content-Type: text/plain'), REPEATED],
]);

table('Content-Length', [
  ['a word', post('Content-Length: ten')],
  ['negative', post('Content-Length: -1')],
  ['with a plus sign', post('Content-Length: +1')],
  ['hexadecimal', post('Content-Length: 0x10')],
  ['a fraction', post('Content-Length: 1.0')],
  ['empty', post('Content-Length:')],
  ['two numbers', post('Content-Length: 1 1')],
  ['a list of equal ones', post('Content-Length: 1,1')],
  ['twice, equal', post('Content-Length: 0', 'Content-Length: 0')],
  ['twice, different', post('Content-Length: 0', 'Content-Length: 34')],
  ['beyond 64 bits', post('Content-Length: 99999999999999999999')],
  ['with GET', get('Host: x', `Content-Length: ${HIDDEN.length}`), NO_BODY],
]);

table('Transfer-Encoding', [
  ['then Content-Length', post('Transfer-Encoding: chunked', 'Content-Length: 5') + '0\r\n\r\n'],
  ['after Content-Length', post('Content-Length: 5', 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
  ['twice', post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
  ['another one behind it', post('Transfer-Encoding: chunked, identity') + '0\r\n\r\n'],
  ['an unknown one alone', post('Transfer-Encoding: xchunked') + '0\r\n\r\n', LAST_CODING],
  ['identity', post('Transfer-Encoding: identity'), LAST_CODING],
  ['empty', post('Transfer-Encoding:') + '0\r\n\r\n', LAST_CODING],
  ['with a parameter', post('Transfer-Encoding: chunked;q=1') + '0\r\n\r\n', LAST_CODING],
  ['behind a vertical tab', post('Transfer-Encoding: \x0bchunked') + '0\r\n\r\n'],
  ['on a line of its own', post('Transfer-Encoding:', ' chunked') + '0\r\n\r\n'],
  ['a space before the colon', post('Transfer-Encoding : chunked') + '0\r\n\r\n'],
  ['a known one below it', post('Transfer-Encoding: gzip, chunked'), 'the only transfer coding is chunked', 501],
  ['of GET, hiding a request', `${get('Host: x', 'Transfer-Encoding: chunked')}0\r\n\r\n`, NO_BODY],
  [
    'in HTTP/1.0',
    head(`POST ${API}/match-request HTTP/1.0`, 'Transfer-Encoding: chunked') + '0\r\n\r\n',
    'Transfer-Encoding needs HTTP/1.1',
  ],
]);

table('chunks', [
  ['of no size', chunked('\r\nhello\r\n0\r\n\r\n')],
  ['of a negative size', chunked('-5\r\nhello\r\n0\r\n\r\n')],
  ['of a size with a prefix', chunked('0x5\r\nhello\r\n0\r\n\r\n')],
  ['of a size behind a space', chunked(' 5\r\nhello\r\n0\r\n\r\n')],
  ['of a size that is no number', chunked('five\r\nhello\r\n0\r\n\r\n')],
  ['of more than 64 bits', chunked('10000000000000005\r\nhello\r\n0\r\n\r\n')],
  ['of a size that is too large', chunked('ffffffff\r\n' + 'y'.repeat(70_000)), 'body too large', 413],
  ['shorter than they say', chunked('6\r\nhello\r\n0\r\n\r\n')],
  ['longer than they say', chunked('4\r\nhello\r\n0\r\n\r\n')],
  ['ended by a lone LF', chunked('5\nhello\r\n0\r\n\r\n')],
  ['ended by a lone CR', chunked('5\rhello\r\n0\r\n\r\n')],
  ['a control character in an extension', chunked('5;a=\x01\r\nhello\r\n0\r\n\r\n')],
  ['an extension that is too long', chunked(`5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`), 'header fields too large', 431],
  ['too many trailers', chunked(`0\r\n${'a: b\r\n'.repeat(4_000)}\r\n`), 'header fields too large', 431],
  ['a bad trailer', chunked('0\r\nContent-Length : 5\r\n\r\n')],
]);

table('what is too much, or unknown', [
  ['a long target', head(`GET /${'y'.repeat(9_000)} HTTP/1.1`, 'Host: x'), 'request target too long', 414],
  ['a long header field', get('Host: x', `X: ${'y'.repeat(17_000)}`), 'header fields too large', 431],
  ['many header fields', get('Host: x', ...Array(65).fill('X: y')), 'too many header fields', 431],
  ['a long body', post('Content-Length: 65537'), 'body too large', 413],
  ['an expectation', post('Expect: a-miracle', 'Content-Length: 2'), 'the only expectation is 100-continue', 417],
]);

describe('what looks odd and is allowed', { concurrency: 8 }, () => {
  const statusOf = async (bytes) => {
    const connection = await RawConnection.open(world.daemon.port);
    connection.send(Buffer.from(bytes, 'latin1'));
    const { status, headers } = await connection.response();
    connection.send(HIDDEN);
    assert.equal((await connection.response()).status, 200, 'the connection goes on');
    connection.destroy();
    return { status, headers };
  };

  it('an absolute target, which every proxy may send', async () => {
    assert.equal((await statusOf(head('GET http://example.com:80/healthz HTTP/1.1', 'Host: x'))).status, 200);
    assert.equal((await statusOf(head('GET http://example.com HTTP/1.1', 'Host: x'))).status, 404);
  });

  it('OPTIONS *, about the server as a whole', async () => {
    for (const target of ['*', 'http://example.com']) {
      const { status, headers } = await statusOf(head(`OPTIONS ${target} HTTP/1.1`, 'Host: x'));
      assert.equal(status, 204);
      assert.equal(headers.allow, 'GET, POST, DELETE, HEAD, OPTIONS');
    }
  });

  it('empty lines before a request', async () => {
    assert.equal((await statusOf(`\r\n\r\n${get('Host: x')}`)).status, 200);
  });

  it('a Content-Length of 0 with GET', async () => {
    assert.equal((await statusOf(get('Host: x', 'Content-Length: 0'))).status, 200);
  });

  it('chunks with extensions and trailers', async () => {
    const body = '5;a=b\r\n{"a":\r\n2\r\n1}\r\n0\r\nX: y\r\n\r\n';
    const answer = await statusOf(post(auth.trim(), 'Content-Type: application/json', 'Transfer-Encoding: chunked') + body);
    assert.equal(answer.status, 400, 'of the API: members are missing');
  });

  it('HTTP/1.0 without Host', async () => {
    const answer = await answerTo('GET /healthz HTTP/1.0\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\nConnection: close\r\n/);
  });
});

it('a refused HEAD gets no body', async () => {
  const answer = await answerTo(head('HEAD /healthz HTTP/1.1', 'Host: x', 'Content-Length: 5') + HIDDEN);
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n[^]*\r\n\r\n$/);
});
