// The JSON Schemas of docs/events/: every event that a test sees is held against them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import addFormats from 'ajv-formats';
import { Ajv2020 } from 'ajv/dist/2020.js';

const DIR = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../docs/events');

let validate;
let validateConsumed;

function validator() {
  if (validate) return validate;
  const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true });
  addFormats.default(ajv);
  for (const file of fs.readdirSync(DIR, { recursive: true }).filter((name) => name.endsWith('.json')))
    ajv.addSchema(JSON.parse(fs.readFileSync(path.join(DIR, file), 'utf8')));
  validate = ajv.getSchema('envelope.json');
  validateConsumed = ajv.getSchema('consumed/envelope.json');
  return validate;
}

// An event of another service, as we take it.
export function isConsumed(event) {
  validator();
  return validateConsumed(event);
}

// The types that have a schema.
export function eventTypes() {
  return validator().schema.properties.eventType.enum;
}

export function checkEvent(event) {
  const check = validator();
  const ok = check(event);
  assert.ok(ok, `${JSON.stringify(event)}: ${ok || JSON.stringify(check.errors)}`);
}

// A row of event_outbox as it is published.
export function eventOfRow(row) {
  return {
    eventId: row.event_id,
    eventType: row.event_type,
    version: '1.0',
    timestamp: row.created_at.toISOString(),
    payload: row.payload,
    metadata: { correlationId: row.correlation_id, source: 'conversation-service' },
  };
}

// All that the daemon has written.
export async function checkOutbox(db) {
  for (const row of await db.query('SELECT * FROM event_outbox')) checkEvent(eventOfRow(row));
}
