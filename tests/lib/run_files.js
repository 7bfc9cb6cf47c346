// Runs test files as `node --test` does, each in a process of its own, and gives each file so long and no longer: one
// that hangs is killed and counted as failed, and the files behind it are still run.
// Usage: node run_files.js FILE...
import path from 'node:path';
import { run } from 'node:test';
import { spec as Spec } from 'node:test/reporters';

const FILE_LIMIT_MS = 600_000; // the longest takes 100 s

const files = process.argv.slice(2).map((file) => path.resolve(file));
run({ files, concurrency: true, timeout: FILE_LIMIT_MS })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new Spec())
  .pipe(process.stdout);
