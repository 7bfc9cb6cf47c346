// Where the service to compare with has its data: in memory, read once at the start, or in PostgreSQL and Redis.
import { Redis } from 'ioredis';
import pg from 'pg';

const TOPICS = `
  SELECT code, name_key AS "nameKey", description_key AS "descriptionKey", title, level, category,
         image_url AS "imageUrl", estimated_duration_minutes AS "estimatedDurationMinutes",
         popularity_score AS "popularityScore", required_skills AS "requiredSkills"
    FROM topics WHERE is_active AND target_language_code = $1 ORDER BY level, code COLLATE "C"`;
const SKILLS = 'SELECT skill_code FROM user_skills WHERE user_id = $1';
const SESSION = `
  SELECT s.id, s.status, s.topic_code, s.started_at, s.ended_at, s.end_reason, s.duration_seconds, s.transcript_id,
         p.user_id, p.display_name, p.native_language_code, p.target_language_code, p.spoken_seconds, p.turn_count
    FROM sessions s JOIN session_participants p ON p.session_id = s.id
   WHERE s.id = $1 ORDER BY p.position`;
const CACHED_SECONDS = 3600;

function connect() {
  const { DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD } = process.env;
  return new pg.Pool({
    host: DB_HOST,
    port: Number(DB_PORT),
    database: DB_NAME,
    user: DB_USER,
    password: DB_PASSWORD,
    max: 4,
  });
}

const named = (name, text) => (values) => ({ name, text, values }); // prepared at first use, as the daemon's are

function topicOf({ imageUrl, popularityScore, ...row }) {
  return { ...row, ...(imageUrl && { imageUrl }), popularityScore: Number(popularityScore) };
}

function sessionOf(rows) {
  if (rows.length === 0) return undefined;
  const [s] = rows;
  return {
    id: s.id,
    status: s.status,
    topicCode: s.topic_code,
    participants: rows.map((p) => ({
      userId: p.user_id,
      displayName: p.display_name,
      nativeLanguageCode: p.native_language_code,
      targetLanguageCode: p.target_language_code,
      spokenSeconds: p.spoken_seconds,
      turnCount: p.turn_count,
    })),
    durationSeconds: s.duration_seconds ?? 0,
    ...(s.started_at && { startedAt: s.started_at.toISOString() }),
    ...(s.ended_at && { endedAt: s.ended_at.toISOString() }),
    ...(s.end_reason && { endReason: s.end_reason }),
    transcriptAvailable: s.transcript_id !== null,
  };
}

export async function inMemory() {
  const pool = connect();
  const languages = await pool.query('SELECT DISTINCT target_language_code AS code FROM topics');
  const topics = new Map();
  for (const { code } of languages.rows)
    topics.set(code, (await pool.query(TOPICS, [code])).rows.map(topicOf));
  const ids = await pool.query('SELECT id FROM sessions');
  const sessions = new Map();
  for (const { id } of ids.rows) sessions.set(id, sessionOf((await pool.query(SESSION, [id])).rows));
  await pool.end();
  const none = new Set();
  return {
    topics: async (language) => topics.get(language) ?? [],
    skills: async () => none,
    session: async (id) => sessions.get(id),
  };
}

export async function databases() {
  const pool = connect();
  const { REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, REDIS_DB } = process.env;
  const redis = new Redis({
    host: REDIS_HOST,
    port: Number(REDIS_PORT),
    password: REDIS_PASSWORD,
    db: Number(REDIS_DB),
  });
  const [topics, skills, session] = [
    named('topics', TOPICS),
    named('skills', SKILLS),
    named('session', SESSION),
  ];
  return {
    async topics(language) {
      const key = `topics:${language}`;
      const cached = await redis.get(key);
      if (cached) return JSON.parse(cached);
      const list = (await pool.query(topics([language]))).rows.map(topicOf);
      await redis.set(key, JSON.stringify(list), 'EX', CACHED_SECONDS);
      return list;
    },
    skills: async (userId) => new Set((await pool.query(skills([userId]))).rows.map((row) => row.skill_code)),
    session: async (id) => sessionOf((await pool.query(session([id]))).rows),
  };
}
