// The databases of tests: one for each test file, on the server that tests/run started.
import crypto from 'node:crypto';
import pg from 'pg';

export const DAEMON_ROLE = 'conversation_service';
export const DAEMON_PASSWORD = 'dev \'quoted" password'; // every layer between here and the server must quote it right

function serverFromEnv() {
  const { TEST_PG_PORT, TEST_PG_PASSWORD } = process.env;
  if (!TEST_PG_PORT) throw new Error('TEST_PG_PORT is not set: run the tests through tests/run');
  return { host: '127.0.0.1', port: Number(TEST_PG_PORT), user: 'postgres', password: TEST_PG_PASSWORD };
}

async function withAdmin(server, work) {
  const client = new pg.Client({ ...server, database: 'postgres' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export class Database {
  // A new empty database owned by the daemon's role, on `server` (superuser's host, port, user, password).
  static async create(server = serverFromEnv()) {
    const name = `t_${process.pid}_${crypto.randomBytes(4).toString('hex')}`;
    await withAdmin(server, async (admin) => {
      const literal = admin.escapeLiteral(DAEMON_PASSWORD);
      await admin.query('SELECT pg_advisory_lock(7264)'); // test files start at once
      const { rowCount } = await admin.query('SELECT FROM pg_roles WHERE rolname = $1', [DAEMON_ROLE]);
      if (!rowCount) await admin.query(`CREATE ROLE ${DAEMON_ROLE} LOGIN PASSWORD ${literal}`);
      await admin.query(`CREATE DATABASE ${name} OWNER ${DAEMON_ROLE}`);
    });
    return new Database(server, name);
  }

  constructor(server, name) {
    this.server = server;
    this.name = name;
    this.pool = new pg.Pool({ ...server, database: name, max: 2 });
    this.pool.on('error', () => {}); // the server was stopped under an idle client: the next query connects anew
  }

  async query(sql, params) {
    return (await this.pool.query(sql, params)).rows;
  }

  async one(sql, params) {
    const rows = await this.query(sql, params);
    if (rows.length !== 1) throw new Error(`${rows.length} rows, not 1: ${sql}`);
    return rows[0];
  }

  // The server is there, and a daemon has applied its migrations.
  async isUsable() {
    const probe = this.one(`SELECT to_regclass('event_outbox') IS NOT NULL AS there`);
    return probe.then(({ there }) => there, () => false);
  }

  env() {
    return {
      DB_HOST: this.server.host,
      DB_PORT: String(this.server.port),
      DB_NAME: this.name,
      DB_USER: DAEMON_ROLE,
      DB_PASSWORD: DAEMON_PASSWORD,
    };
  }

  async close() {
    await this.pool.end();
  }

  async drop() {
    await this.close();
    await withAdmin(this.server, (admin) => admin.query(`DROP DATABASE ${this.name} WITH (FORCE)`));
  }
}
