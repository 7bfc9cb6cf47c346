// Waiting without sleeping blindly: poll a condition until a deadline.
import { setTimeout as delay } from 'node:timers/promises';

export const WAIT_MS = 15_000; // generous: sanitizer builds on a loaded machine; a passing test never waits it out

// Resolves to the first truthy result of `probe`; what it throws counts as "not yet".
export async function until(what, probe, ms = WAIT_MS) {
  const deadline = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`timed out after ${ms} ms waiting for ${what}${last ? `: ${last.message}` : ''}`);
    }
    await delay(20);
  }
}

// Rejects when `promise` takes longer than `ms`.
export function within(what, promise, ms = WAIT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out after ${ms} ms waiting for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// All of them, also those behind one that fails; then the first failure is told of.
export async function allDone(promises) {
  const failed = (await Promise.allSettled(promises)).find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
}
