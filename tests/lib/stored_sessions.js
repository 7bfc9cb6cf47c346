// Sessions that wait for their two participants, written to the database as a match would: for tests and benchmarks that
// need many at once.
import crypto from 'node:crypto';

// `learners` are {userId, …}, the two of a pair one after the other; sets `sessionId` of each.
export async function storeSessions(db, learners) {
  learners.forEach((learner, i) => {
    learner.sessionId = i % 2 ? learners[i - 1].sessionId : crypto.randomUUID();
  });
  await db.query(
    `WITH given AS (SELECT session_id, user_id, ((ordinal - 1) % 2)::smallint AS position
                      FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS g (session_id, user_id, ordinal)),
          new_sessions AS (INSERT INTO sessions (id, target_language_code, topic_code, target_level, session_type,
                                                 max_duration_seconds)
                           SELECT DISTINCT session_id, 'en', 'free_talk', 'B1', 'practice', 3600 FROM given)
     INSERT INTO session_participants (session_id, user_id, position, role, native_language_code,
                                       target_language_code, display_name)
     SELECT session_id, user_id, position, CASE position WHEN 0 THEN 'learner' ELSE 'partner' END, 'es', 'en', 'Ana'
       FROM given`,
    [learners.map((learner) => learner.sessionId), learners.map((learner) => learner.userId)],
  );
}
