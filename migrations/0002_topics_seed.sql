-- The first topics: every code exists in en, fr, es, de and it, so that a language pack has something to
-- grow from.
--
-- A code without a dot is a broad topic, the parent of the dotted codes below it, and gets more prompts
-- because it has to carry any pair. Prompt keys carry no language: the client looks the text up in its own
-- i18n catalogue. Titles are in the target language, descriptions in English; both are only fallbacks for
-- name_key and description_key. A required skill is named once here and becomes '<skill>.<language>',
-- e.g. restaurant_vocab.en.
--
-- Running it again changes nothing, and topics that exist already are left as they are, prompts included.

WITH seed (code, level, category, minutes, skills, description, en, fr, es, de, it) AS (VALUES
-- daily_life
('daily_life', 'A1', 'daily_life', 10, '{}'::text[], 'Ordinary days: what you do, where and with whom.',
 'Daily life', 'La vie quotidienne', 'La vida diaria', 'Alltag', 'La vita quotidiana'),
('daily_life.introductions', 'A1', 'daily_life', 5, '{}',
 'Say who you are, where you come from and what you like.',
 'Getting to know each other', 'Faire connaissance', 'Conocerse', 'Sich kennenlernen', 'Conoscersi'),
('daily_life.family', 'A1', 'daily_life', 10, '{}', 'The people you grew up with and live with today.',
 'Family', 'La famille', 'La familia', 'Familie', 'La famiglia'),
('daily_life.routine', 'A1', 'daily_life', 10, '{}',
 'From getting up to going to bed: times, habits, small rituals.',
 'My day', 'Ma journée', 'Mi día', 'Mein Tag', 'La mia giornata'),
('daily_life.shopping', 'A1', 'daily_life', 10, '{}', 'Markets and shops: asking for things, prices, sizes.',
 'Going shopping', 'Faire les courses', 'Ir de compras', 'Einkaufen gehen', 'Fare la spesa'),
('daily_life.weather', 'A1', 'daily_life', 5, '{}', 'Seasons, today''s sky, and plans that depend on it.',
 'The weather', 'Le temps qu''il fait', 'El tiempo', 'Das Wetter', 'Il tempo che fa'),
('daily_life.home', 'A2', 'daily_life', 10, '{}',
 'Describe your home, your street and what you would change.',
 'Where I live', 'Là où j''habite', 'Donde vivo', 'Wo ich wohne', 'Dove abito'),
('daily_life.health', 'A2', 'daily_life', 10, '{health_vocab}',
 'Explain what hurts and follow a doctor''s advice.',
 'At the doctor''s', 'Chez le médecin', 'En el médico', 'Beim Arzt', 'Dal medico'),
('daily_life.neighbours', 'B1', 'daily_life', 10, '{}', 'Noise, favours and friendship next door.',
 'Neighbours', 'Les voisins', 'Los vecinos', 'Nachbarn', 'I vicini'),
('daily_life.money', 'B1', 'daily_life', 15, '{}', 'Saving, spending, and what things are worth to you.',
 'Money matters', 'Questions d''argent', 'Cuestiones de dinero', 'Rund ums Geld', 'Questioni di soldi'),
('restaurant', 'A1', 'daily_life', 10, '{}', 'Eating out: favourite places, good and bad evenings.',
 'Eating out', 'Manger au restaurant', 'Comer fuera', 'Essen gehen', 'Mangiare fuori'),
('restaurant.ordering', 'A2', 'daily_life', 10, '{restaurant_vocab}',
 'Read the menu, ask about a dish, order and pay.',
 'Ordering in a restaurant', 'Commander au restaurant', 'Pedir en un restaurante', 'Im Restaurant bestellen',
 'Ordinare al ristorante'),
('restaurant.complaint', 'B1', 'daily_life', 10, '{restaurant_vocab}',
 'The dish is cold, the bill is wrong: complain politely.',
 'A complaint at the table', 'Se plaindre au restaurant', 'Quejarse en el restaurante',
 'Reklamation im Restaurant', 'Un reclamo al ristorante'),

-- travel
('travel', 'A1', 'travel', 10, '{}', 'Places you have seen and places you would like to see.',
 'Travelling', 'Voyager', 'Viajar', 'Reisen', 'Viaggiare'),
('travel.directions', 'A1', 'travel', 5, '{}', 'Ask the way, explain the way, find the place.',
 'Finding the way', 'Demander son chemin', 'Preguntar el camino', 'Nach dem Weg fragen',
 'Chiedere la strada'),
('travel.airport', 'A2', 'travel', 10, '{}', 'Check-in, security, gates, and a flight that is late.',
 'At the airport', 'À l''aéroport', 'En el aeropuerto', 'Am Flughafen', 'In aeroporto'),
('travel.hotel', 'A2', 'travel', 10, '{}', 'Book a room, arrive, and ask for what is missing.',
 'At the hotel', 'À l''hôtel', 'En el hotel', 'Im Hotel', 'In albergo'),
('travel.public_transport', 'A2', 'travel', 10, '{}', 'Tickets, timetables, changes and delays.',
 'Trains and buses', 'Trains et bus', 'Trenes y autobuses', 'Bahn und Bus', 'Treni e autobus'),
('travel.holidays', 'A2', 'travel', 10, '{}', 'Your last holiday, your best one and the next one.',
 'Holiday stories', 'Récits de vacances', 'Historias de vacaciones', 'Urlaubsgeschichten',
 'Racconti di vacanza'),
('travel.problems', 'B1', 'travel', 15, '{}', 'Lost luggage, missed trains: what happened, what you did.',
 'When a trip goes wrong', 'Quand le voyage tourne mal', 'Cuando el viaje sale mal',
 'Wenn die Reise schiefgeht', 'Quando il viaggio va storto'),
('travel.living_abroad', 'B2', 'travel', 15, '{}', 'Leaving home, settling in, missing things, coming back.',
 'Living abroad', 'Vivre à l''étranger', 'Vivir en el extranjero', 'Leben im Ausland', 'Vivere all''estero'),
('travel.sustainable', 'C1', 'travel', 20, '{}', 'Whether and how to travel in a warming, crowded world.',
 'Travelling responsibly', 'Voyager de façon responsable', 'Viajar con responsabilidad',
 'Verantwortungsvoll reisen', 'Viaggiare responsabilmente'),

-- work
('work', 'A2', 'work', 10, '{}', 'What you do, what you like about it, what you would rather do.',
 'Work', 'Le travail', 'El trabajo', 'Arbeit', 'Il lavoro'),
('work.professions', 'A1', 'work', 5, '{}', 'Name jobs, say what people do in them and where.',
 'Jobs and professions', 'Les métiers', 'Las profesiones', 'Berufe', 'I mestieri'),
('work.studies', 'A2', 'work', 10, '{}', 'School, training, university: subjects, teachers, plans.',
 'School and studies', 'Les études', 'Los estudios', 'Schule und Studium', 'Scuola e studi'),
('work.office_life', 'B1', 'work', 10, '{}', 'Colleagues, breaks, deadlines and open-plan offices.',
 'Office life', 'La vie de bureau', 'La vida en la oficina', 'Büroalltag', 'La vita in ufficio'),
('work.job_interview', 'B1', 'work', 15, '{job_interview_vocab}',
 'Present yourself, answer hard questions, ask good ones.',
 'The job interview', 'L''entretien d''embauche', 'La entrevista de trabajo', 'Das Vorstellungsgespräch',
 'Il colloquio di lavoro'),
('work.remote', 'B2', 'work', 15, '{}', 'Working from anywhere: freedom, loneliness, boundaries.',
 'Remote work', 'Le télétravail', 'El teletrabajo', 'Arbeiten von zu Hause', 'Il lavoro da remoto'),
('work.meetings', 'B2', 'work', 15, '{business_vocab}', 'Open, steer, disagree in and close a meeting.',
 'In a meeting', 'En réunion', 'En una reunión', 'In der Besprechung', 'In riunione'),
('work.negotiation', 'C1', 'work', 20, '{business_vocab}', 'Offers, concessions and the art of saying no.',
 'Negotiating', 'Négocier', 'Negociar', 'Verhandeln', 'Negoziare'),
('work.leadership', 'C2', 'work', 20, '{business_vocab}',
 'Authority, trust and decisions nobody wants to take.',
 'Leading people', 'Diriger une équipe', 'Dirigir personas', 'Menschen führen', 'Guidare le persone'),

-- hobbies
('hobbies', 'A1', 'hobbies', 10, '{}', 'What you do when nobody tells you what to do.',
 'Free time', 'Le temps libre', 'El tiempo libre', 'Freizeit', 'Il tempo libero'),
('hobbies.sports', 'A1', 'hobbies', 10, '{}', 'Sports you play, sports you watch, sports you avoid.',
 'Sports', 'Le sport', 'El deporte', 'Sport', 'Lo sport'),
('hobbies.music', 'A2', 'hobbies', 10, '{}', 'Songs, concerts, instruments, and the soundtrack of your life.',
 'Music', 'La musique', 'La música', 'Musik', 'La musica'),
('hobbies.films', 'A2', 'hobbies', 10, '{}', 'Tell a plot without spoiling it, and argue about the ending.',
 'Films and series', 'Films et séries', 'Películas y series', 'Filme und Serien', 'Film e serie'),
('hobbies.cooking', 'A2', 'hobbies', 10, '{}', 'Explain a recipe step by step, and what can go wrong.',
 'Cooking', 'La cuisine', 'La cocina', 'Kochen', 'Cucinare'),
('hobbies.games', 'B1', 'hobbies', 10, '{}', 'Board games, video games, rules and bad losers.',
 'Games', 'Les jeux', 'Los juegos', 'Spiele', 'I giochi'),
('hobbies.reading', 'B1', 'hobbies', 15, '{}', 'A book that stayed with you, and one you never finished.',
 'Reading', 'La lecture', 'La lectura', 'Lesen', 'La lettura'),
('hobbies.photography', 'B2', 'hobbies', 15, '{}', 'Seeing, framing, editing: what makes a picture good.',
 'Photography', 'La photographie', 'La fotografía', 'Fotografie', 'La fotografia'),

-- culture
('culture', 'A2', 'culture', 10, '{}', 'How things are done where you come from.',
 'Cultures', 'Les cultures', 'Culturas', 'Kulturen', 'Le culture'),
('culture.food', 'A1', 'culture', 10, '{}', 'Dishes everybody at home knows, and who cooks them.',
 'Food from home', 'La cuisine de chez moi', 'La comida de mi tierra', 'Essen aus der Heimat',
 'I piatti di casa mia'),
('culture.festivals', 'A2', 'culture', 10, '{}', 'Birthdays, holidays and how they are celebrated.',
 'Festivals and celebrations', 'Fêtes et traditions', 'Fiestas y celebraciones', 'Feste und Bräuche',
 'Feste e tradizioni'),
('culture.customs', 'B1', 'culture', 15, '{}', 'Greetings, politeness, table manners and misunderstandings.',
 'Customs and manners', 'Us et coutumes', 'Usos y costumbres', 'Sitten und Umgangsformen', 'Usi e costumi'),
('culture.art', 'B1', 'culture', 15, '{}', 'Museums, street art, and whether it has to be beautiful.',
 'Art', 'L''art', 'El arte', 'Kunst', 'L''arte'),
('culture.history', 'B2', 'culture', 20, '{}', 'An event your country still talks about.',
 'History', 'L''histoire', 'La historia', 'Geschichte', 'La storia'),
('culture.humour', 'C1', 'culture', 15, '{idioms}',
 'What is funny, to whom, and what gets lost in translation.',
 'Humour', 'L''humour', 'El humor', 'Humor', 'L''umorismo'),
('culture.identity', 'C2', 'culture', 20, '{}', 'Language, belonging, and being from more than one place.',
 'Identity and belonging', 'Identité et appartenance', 'Identidad y pertenencia',
 'Identität und Zugehörigkeit', 'Identità e appartenenza'),

-- news
('news', 'A2', 'news', 10, '{}', 'What happened this week, near you or far away.',
 'In the news', 'L''actualité', 'La actualidad', 'Aktuelles', 'L''attualità'),
('news.good_news', 'A1', 'news', 5, '{}', 'One good thing that happened lately, in simple words.',
 'Good news', 'Bonnes nouvelles', 'Buenas noticias', 'Gute Nachrichten', 'Buone notizie'),
('news.local', 'A2', 'news', 10, '{}', 'What is being built, closed or argued about in your town.',
 'News from my town', 'Les nouvelles de ma ville', 'Noticias de mi ciudad', 'Neues aus meiner Stadt',
 'Notizie dalla mia città'),
('news.science', 'B1', 'news', 15, '{}', 'A discovery, explained so that anyone can follow.',
 'Science', 'Les sciences', 'La ciencia', 'Wissenschaft', 'La scienza'),
('news.technology', 'B2', 'news', 15, '{}', 'Devices, networks, artificial intelligence: gains and worries.',
 'Technology', 'La technologie', 'La tecnología', 'Technik', 'La tecnologia'),
('news.environment', 'B2', 'news', 15, '{}', 'Climate, energy, waste, and what one person can do.',
 'The environment', 'L''environnement', 'El medio ambiente', 'Umwelt', 'L''ambiente'),
('news.economy', 'C1', 'news', 20, '{}', 'Prices, jobs, trade, and who pays for what.',
 'The economy', 'L''économie', 'La economía', 'Wirtschaft', 'L''economia'),
('news.media', 'C2', 'news', 20, '{}', 'Who decides what is news, and whom to believe.',
 'Media and truth', 'Les médias et la vérité', 'Los medios y la verdad', 'Medien und Wahrheit',
 'I media e la verità'),

-- other
('free_talk', 'A1', 'other', 15, '{}', 'No topic at all: talk about whatever comes up.',
 'Free talk', 'Conversation libre', 'Conversación libre', 'Freies Gespräch', 'Conversazione libera'),
('animals', 'A1', 'other', 5, '{}', 'Pets you have, animals you love, animals you fear.',
 'Animals', 'Les animaux', 'Los animales', 'Tiere', 'Gli animali'),
('language_learning', 'A2', 'other', 10, '{}', 'Why and how you learn, what helps and what is hard.',
 'Learning languages', 'Apprendre des langues', 'Aprender idiomas', 'Sprachen lernen', 'Imparare le lingue'),
('ideas', 'B1', 'other', 15, '{}', 'Opinions, plans and questions without one right answer.',
 'Ideas', 'Les idées', 'Las ideas', 'Ideen', 'Le idee'),
('ideas.what_if', 'B1', 'other', 10, '{}', 'Imagine: a year off, an island, one law to change.',
 'What if …?', 'Et si … ?', '¿Y si …?', 'Was wäre, wenn …?', 'E se …?'),
('ideas.future', 'B2', 'other', 15, '{}', 'The world in fifty years, and your place in it.',
 'The future', 'L''avenir', 'El futuro', 'Die Zukunft', 'Il futuro'),
('ideas.ethics', 'C2', 'other', 20, '{}', 'Hard choices, argued fairly from both sides.',
 'Questions of ethics', 'Questions d''éthique', 'Cuestiones de ética', 'Fragen der Ethik',
 'Questioni di etica')
),
added AS (
    INSERT INTO topics (code, target_language_code, name_key, description_key, title, description, level,
                        category, required_skills, estimated_duration_minutes)
    SELECT s.code, l.language, 'topic.' || s.code || '.name', 'topic.' || s.code || '.description', l.title,
           s.description, s.level, s.category,
           ARRAY(SELECT skill || '.' || l.language FROM unnest(s.skills) AS skill), s.minutes
      FROM seed s
           CROSS JOIN LATERAL (VALUES ('en', s.en), ('fr', s.fr), ('es', s.es), ('de', s.de), ('it', s.it))
                              AS l (language, title)
    ON CONFLICT (code, target_language_code) DO NOTHING
    RETURNING id, code
),
-- How many prompts of each type a topic gets, and where the type starts in the topic's order.
shape (is_broad, type, count, first_order) AS (VALUES
    (false, 'icebreaker', 1, 1), (false, 'main', 3, 2), (false, 'follow_up', 2, 5),
    (true,  'icebreaker', 2, 1), (true,  'main', 5, 3), (true,  'follow_up', 3, 8)
)
INSERT INTO topic_prompts (topic_id, prompt_key, type, sort_order)
SELECT a.id, 'prompt.' || a.code || '.' || p.type || '.' || n, p.type, p.first_order + n - 1
  FROM added a
       JOIN shape p ON p.is_broad = (position('.' IN a.code) = 0)
       CROSS JOIN generate_series(1, p.count) AS n
ON CONFLICT DO NOTHING;

-- Codes that go together although neither is the dotted parent of the other (that case is a rule, not data).
-- Each pair differs first in a letter, so that code_a < code_b holds under every collation.
INSERT INTO topic_compatibility (code_a, code_b) VALUES
    ('animals', 'free_talk'),
    ('culture.art', 'hobbies.photography'),
    ('culture.customs', 'travel.living_abroad'),
    ('culture.food', 'hobbies.cooking'),
    ('culture.food', 'restaurant'),
    ('culture.identity', 'travel.living_abroad'),
    ('daily_life', 'free_talk'),
    ('daily_life.introductions', 'free_talk'),
    ('daily_life.money', 'news.economy'),
    ('free_talk', 'hobbies'),
    ('free_talk', 'ideas'),
    ('free_talk', 'language_learning'),
    ('free_talk', 'travel'),
    ('hobbies.cooking', 'restaurant'),
    ('ideas.future', 'news.technology'),
    ('news.environment', 'travel.sustainable'),
    ('restaurant.complaint', 'restaurant.ordering'),
    ('travel.airport', 'travel.public_transport'),
    ('travel.holidays', 'travel.problems'),
    ('work.job_interview', 'work.professions'),
    ('work.meetings', 'work.negotiation')
ON CONFLICT DO NOTHING;
