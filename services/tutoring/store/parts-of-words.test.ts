import { randomUUID } from 'node:crypto';
import { startThrowawayPostgres } from '../../../dev/postgres/throwaway';
import { migrated } from '../../../tests/support/migrated';
import { indexedWords } from '../rules/search';

// Tutors of the time before texts without spaces were found by any part.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

const TEXTS = [
  '小学数学老师, IELTS英语口语B2',
  '高校の物理とプログラミング',
  '초등수학선생님',
  'ครูสอนคณิตศาสตร์',
  'Calculus without fear, C++ и Физика',
];

/** The words of a text as the code of before has them: whole runs of letters. */
const wordsOfBefore = (text: string): string[] => [
  ...new Set(
    text
      .normalize('NFKD')
      .replaceAll(/\p{M}/gu, '')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+[+#]*/gu),
  ),
];

test('what was stored is found by any part of a text without spaces, and by all that it was found by before', async () => {
  await migrated(
    server,
    { context: 'tutoring', name: '_parts_of_words_of_before' },
    async (sql) => {
      for (const text of TEXTS)
        await sql`
          insert into tutor_profiles (id, display_name, time_zone, search)
          values (${randomUUID()}, ${text}, 'UTC', array_to_tsvector(${wordsOfBefore(text)}::text[]))`;
    },
    async (sql) => {
      const rows = await sql`select display_name as text, tsvector_to_array(search) as words from tutor_profiles`;
      const wanted = TEXTS.map((text) => [
        text,
        [...new Set([...wordsOfBefore(text), ...indexedWords(text)])].toSorted(),
      ]);
      expect(rows.map(({ text, words }) => [text, words.toSorted()]).toSorted()).toEqual(wanted.toSorted());
    },
  );
});
