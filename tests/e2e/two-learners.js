// The printing form of the main scenario; see the script beside it.
import crypto from 'node:crypto';
import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { Rest } from '../lib/http.js';
import { Learner } from '../lib/learner.js';
import { claimsOf, sign } from '../lib/token.js';
import { twoLearnersMeet } from './scenario.js';

const { values } = parseArgs({ options: { url: { type: 'string' }, key: { type: 'string' } } });
if (!values.url || !values.key) {
  console.error('usage: two-learners --url URL --key PRIVATE_KEY_PEM');
  process.exit(64);
}

const started = performance.now();
const say = (line) =>
  console.log(`  ${((performance.now() - started) / 1000).toFixed(3).padStart(7)} s  ${line}`);
const key = crypto.createPrivateKey(fs.readFileSync(values.key));
const mint = (person) => sign(claimsOf(person), key);
const rest = new Rest(values.url.replace(/\/$/, ''));
const learners = [
  new Learner(rest, mint, { name: 'Ana', native: 'es' }),
  new Learner(rest, mint, { name: 'Ben', native: 'fr' }),
];
try {
  say(`tokens minted for ${learners.map((each) => `${each.name} (${each.userId})`).join(' and ')}`);
  const sessionId = await twoLearnersMeet(...learners, say);
  say(`done: session ${sessionId}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  for (const learner of learners) learner.close();
  rest.close();
}
