// Assertions about answers, on whole bodies.
import assert from 'node:assert/strict';
import { STATUS_CODES } from 'node:http';

// Reason phrases that RFC 9110 changed after node's table was written.
const REASONS = { ...STATUS_CODES, 413: 'Content Too Large', 422: 'Unprocessable Content' };

export const seenCodes = new Set();

// The whole error body: nothing missing, nothing more. `details` undefined: the member must not be there.
export function expectError(answer, status, message, details) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/json/);
  const correlationId = answer.headers['x-correlation-id'];
  assert.ok(correlationId, 'X-Correlation-Id');
  const body = { statusCode: status, error: REASONS[status], message, correlationId };
  if (details !== undefined) body.details = details;
  assert.deepEqual(answer.body, body);
  seenCodes.add(message);
}

// The same for errors where a later retry helps: the answer says when.
export function expectRetryable(answer, status, message, details) {
  expectError(answer, status, message, details);
  const seconds = Number(answer.headers['retry-after']);
  assert.ok(Number.isInteger(seconds) && seconds >= 1, `Retry-After: ${answer.headers['retry-after']}`);
  return seconds;
}

export function expectOk(answer, status = 200) {
  assert.equal(answer.status, status, answer.text);
  return answer.body;
}
