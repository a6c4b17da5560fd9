import { tutorRatings } from '../../../db/schema/tutoring';
import { type Reply, startTestService, type TestService } from '../../../tests/support/service';
import {
  ALWAYS,
  asTutor,
  listedTutor,
  newTutor,
  nowhere,
  paths,
  type TestTutor,
  type TutorFacts,
} from '../../../tests/support/tutors';
import { tutoringService } from '.';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const as = asTutor(() => service);

describe('search', () => {
  /** Tutors of one test share a subject that no other test uses. */
  async function search(subject: string, query: Record<string, string | number> = {}): Promise<Reply> {
    const parameters = new URLSearchParams({ subject });
    for (const [name, value] of Object.entries(query)) parameters.set(name, String(value));
    return service.ask('GET', `/api/tutors?${parameters}`);
  }
  const names = ({ body }: Reply): string[] =>
    body.items.map(({ displayName }: { displayName: string }) => displayName);

  async function tutors(subject: string, all: Record<string, TutorFacts>): Promise<Record<string, TestTutor>> {
    const made: Record<string, TestTutor> = {};
    for (const [displayName, facts] of Object.entries(all)) {
      const profile = { subjects: [subject], ...facts.profile };
      made[displayName] = await listedTutor(service, { weekly: ALWAYS, hourly: 4500, ...facts, displayName, profile });
    }
    return made;
  }
  const rate = (tutor: TestTutor | undefined, average: number, count: number) =>
    service.database.db
      .insert(tutorRatings)
      .values({ tutorId: tutor?.id ?? nowhere, average, count })
      .onConflictDoUpdate({ target: tutorRatings.tutorId, set: { average, count } });

  test('shows a tutor as they are after each change of anything of theirs, however often they were found before', async () => {
    const { fresh } = await tutors('Freshness', { fresh: { profile: { subjects: ['Freshness'] } } });
    if (!fresh) throw new Error('nobody was made');
    const token = await service.userToken({ role: 'admin' });
    const certificate = { name: 'CPR', issuer: 'Red Cross' };
    const option = { kind: 'hourly', price: { amount: 5100, currency: 'EUR' } };
    const school = { institution: 'University', degree: 'MSc', startYear: 2005, endYear: 2009 };
    let certification = '';
    const changes: (() => Promise<unknown>)[] = [
      () => as(fresh, 'PATCH', '/api/tutors/profile', { headline: 'Another' }),
      () => as(fresh, 'PATCH', '/api/tutors/profile', { subjects: ['Freshness', 'Poetry'] }),
      () => as(fresh, 'PATCH', '/api/tutors/profile', { education: [school] }),
      () => as(fresh, 'PATCH', '/api/tutors/profile', { education: [] }),
      () => as(fresh, 'PUT', '/api/tutors/pricing', { options: [option, { ...option, label: 'Evening' }] }),
      () => as(fresh, 'PUT', '/api/tutors/pricing', { options: [option] }),
      async () => {
        certification = (await as(fresh, 'POST', '/api/tutors/certifications', certificate)).body.id;
      },
      () => as(fresh, 'DELETE', `/api/tutors/certifications/${certification}`),
      () => service.ask('POST', `/api/tutors/${fresh.id}/verify`, { token, body: { reason: 'Showed their diploma' } }),
      () => as(fresh, 'PUT', '/api/tutors/availability', { timeZone: 'Asia/Tokyo', weekly: ALWAYS, exceptions: [] }),
      () => rate(fresh, 4.5, 2),
    ];
    let [shown] = (await search('Freshness')).body.items;
    for (const [position, change] of changes.entries()) {
      await change();
      const [found] = (await search('Freshness')).body.items;
      const { body: alone } = await service.ask('GET', `/api/tutors/${fresh.id}`);
      expect({ position, found }).toEqual({ position, found: alone });
      expect({ position, found }).not.toEqual({ position, found: shown });
      shown = found;
    }
  });

  test('finds only tutors with a completed profile, hours and an hourly price', async () => {
    const made = await tutors('Listing', {
      whole: {},
      'no hours': { weekly: undefined },
      'no price': { hourly: undefined },
      'only days off': { weekly: [], exceptions: [{ date: '2030-01-01', available: false }] },
      'one dated day': { weekly: [], exceptions: [{ date: '2030-01-01', from: '10:00', to: '11:00' }] },
      'only a package': {},
    });
    const bundle = { kind: 'package', price: { amount: 9000, currency: 'EUR' }, sessions: 2 };
    const odd = made['only a package'];
    if (odd) await as(odd, 'PUT', '/api/tutors/pricing', { options: [bundle] });
    const empty = await newTutor(service, { displayName: 'empty' });
    await as(empty, 'PATCH', '/api/tutors/profile', { subjects: ['Listing'] });
    expect(names(await search('Listing')).toSorted()).toEqual(['one dated day', 'whole']);
    const { whole } = made;
    if (whole) await as(whole, 'PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly: [], exceptions: [] });
    expect(names(await search('listing'))).toEqual(['one dated day']);
  });

  test('filters by price, rating and language, all at once', async () => {
    const made = await tutors('Filtering', {
      cheap: { hourly: 2000, profile: { languages: ['English', 'Français'] } },
      dear: { hourly: 8000, profile: { languages: ['English'] } },
      rated: { hourly: 4000, profile: { languages: ['Deutsch'] } },
    });
    await rate(made.rated, 4.25, 8);
    await rate(made.dear, 5, 1);
    const inEuros = (query: Record<string, string | number>) => search('Filtering', { currency: 'EUR', ...query });
    expect(names(await inEuros({ maxPrice: 4000 })).toSorted()).toEqual(['cheap', 'rated']);
    expect(names(await inEuros({ maxPrice: 3999 }))).toEqual(['cheap']);
    expect(names(await search('Filtering', { minRating: 4.25 }))).toEqual(['dear', 'rated']);
    expect(names(await search('Filtering', { minRating: 4.3 }))).toEqual(['dear']);
    expect(names(await search('Filtering', { language: 'FRANÇAIS' }))).toEqual(['cheap']);
    expect(names(await inEuros({ language: 'english', maxPrice: 5000 }))).toEqual(['cheap']);
    expect(names(await inEuros({ minRating: 4, maxPrice: 5000, language: 'english' }))).toEqual([]);
    const [item] = (await inEuros({ minRating: 4, maxPrice: 5000 })).body.items;
    expect(item.rating).toEqual({ average: 4.25, count: 8 });
  });

  test('finds words in name, headline, biography and subjects, by their beginnings, whatever their accents', async () => {
    await tutors('Wordy', {
      'Zoë Łukasz': { profile: { subjects: ['Wordy', 'C++ für Anfänger'], headline: 'Objects first' } },
      'Bob Plain': { profile: { subjects: ['Wordy'], headline: 'Cooking', biography: 'Naïve Bayes & more.' } },
    });
    const asked = async (q: string) => names(await search('Wordy', { q })).toSorted();
    expect(await asked('zoe')).toEqual(['Zoë Łukasz']);
    expect(await asked('C++')).toEqual(['Zoë Łukasz']);
    expect(await asked('anfang')).toEqual(['Zoë Łukasz']);
    expect(await asked('NAIV bay')).toEqual(['Bob Plain']);
    expect(await asked('naive objects')).toEqual([]);
    expect(await asked('')).toEqual(['Bob Plain', 'Zoë Łukasz']);
    for (const q of ['?!', "'; drop table slots; --", '%', "x':* | 'y", '\\', 'zzz & | !'])
      expect(await asked(q)).toEqual([]);
  });

  test.each([
    ['Chinese', '小学数学老师', ['老师', '师', '数学', '小学数学老师'], ['老学', '师老', '数老师']],
    ['Japanese', '高校の物理とプログラミング', ['物理', 'ミング', 'ﾌﾟﾛｸﾞﾗﾐﾝｸﾞ', 'の物'], ['理物', 'グロ']],
    ['Korean', '초등수학선생님', ['수학', '선생님', '초등수학'], ['학수']],
    ['Thai', 'ครูสอนคณิตศาสตร์', ['คณิตศาสตร์', 'สอน'], ['สอนครู']],
    ['Lao', 'ຄູສອນຄະນິດສາດ', ['ຄະນິດສາດ', 'ສອນ'], ['ສາດຄູ']],
    ['Khmer', 'គ្រូបង្រៀនគណិតវិទ្យា', ['គណិតវិទ្យា'], ['វិទ្យាគណិត']],
    ['Burmese', 'သင်္ချာဆရာ', ['ဆရာ'], ['ရာဆ']],
    ['mixed writing', 'IELTS英语口语B2老师', ['口语', 'ielts', 'b2', 'ielts 老师', '英语'], ['elts', '语英']],
  ])('finds any part of a text in %s, which has no spaces', async (script, headline, found, lost) => {
    const subject = `Script ${script}`;
    await tutors(subject, { whole: { profile: { headline, subjects: [subject] } } });
    const asked = async (q: string) => [q, names(await search(subject, { q }))];
    for (const q of found) expect(await asked(q)).toEqual([q, ['whole']]);
    for (const q of lost) expect(await asked(q)).toEqual([q, []]);
  });

  test('compares prices of one currency only', async () => {
    const made = await tutors('Monies', { euro: { hourly: 4000 }, pound: {}, dollar: {} });
    for (const [name, amount, currency] of [
      ['pound', 3000, 'GBP'],
      ['dollar', 5000, 'USD'],
    ] as const) {
      const tutor = made[name];
      if (tutor)
        await as(tutor, 'PUT', '/api/tutors/pricing', { options: [{ kind: 'hourly', price: { amount, currency } }] });
    }
    const asked = async (query: Record<string, string | number>) => names(await search('Monies', query));
    expect(await asked({})).toHaveLength(3);
    expect(await asked({ currency: 'GBP' })).toEqual(['pound']);
    expect(await asked({ currency: 'EUR', maxPrice: 9000 })).toEqual(['euro']);
    expect(await asked({ currency: 'USD', sort: 'price_asc' })).toEqual(['dollar']);
    expect(await asked({ currency: 'SEK', sort: 'price_desc' })).toEqual([]);
    for (const [name, value] of [
      ['maxPrice', 9000],
      ['sort', 'price_asc'],
      ['sort', 'price_desc'],
    ] as const) {
      const reply = await search('Monies', { [name]: value });
      expect({ status: reply.status, paths: paths(reply) }).toEqual({ status: 422, paths: ['query.currency'] });
    }
  });

  test('a changed profile is found by its new words only', async () => {
    const made = await tutors('Changing', { before: {} });
    const tutor = made.before;
    if (tutor) await as(tutor, 'PATCH', '/api/tutors/profile', { headline: 'Astronomy', displayName: 'after' });
    expect(names(await search('Changing', { q: 'astro' }))).toEqual(['after']);
    expect(names(await search('Changing', { q: 'before' }))).toEqual([]);
    expect(names(await search('Changing', { q: 'calculus' }))).toEqual([]);
  });

  test.each([
    ['rating', ['best', 'well known', 'little known', 'new', 'unrated']],
    ['price_asc', ['new', 'unrated', 'best', 'well known', 'little known']],
    ['price_desc', ['little known', 'well known', 'best', 'unrated', 'new']],
    ['newest', ['little known', 'well known', 'best', 'new', 'unrated']],
  ])('sorts by %s', async (sort, wanted) => {
    const subject = `Sorting ${sort}`;
    const made = await tutors(subject, {
      unrated: { hourly: 1000 },
      new: { hourly: sort === 'price_asc' || sort === 'price_desc' ? 500 : 1000 },
      best: { hourly: 2000 },
      'well known': { hourly: 3000 },
      'little known': { hourly: 4000 },
    });
    await rate(made.best, 4.9, 3);
    await rate(made['well known'], 4.5, 90);
    await rate(made['little known'], 4.5, 2);
    await rate(made.new, 1.5, 1);
    expect(names(await search(subject, { sort, currency: 'EUR' }))).toEqual(wanted);
  });

  test.each(['rating', 'price_asc', 'price_desc', 'newest'])(
    'pages by %s show everybody once, though most are equal',
    async (sort) => {
      const subject = `Paging ${sort}`;
      const facts = Array.from({ length: 11 }, (_, index): [string, TutorFacts] => [
        `tutor ${index}`,
        { hourly: index < 9 ? 3000 : 5000 },
      ]);
      const made = await tutors(subject, Object.fromEntries(facts));
      for (const index of [1, 4, 7]) await rate(made[`tutor ${index}`], 4.33, 3);
      const whole = names(await search(subject, { sort, currency: 'EUR', limit: 100 }));
      const paged: string[] = [];
      let cursor: string | null = '';
      do {
        const page: Reply = await search(subject, {
          sort,
          currency: 'EUR',
          limit: 3,
          ...(cursor && { cursor }),
        });
        expect(page.status).toBe(200);
        paged.push(...names(page));
        cursor = page.body.nextCursor;
      } while (cursor !== null);
      expect(paged).toEqual(whole);
      expect(new Set(paged).size).toBe(11);
    },
  );

  test('a page that holds all there is has no next', async () => {
    await tutors('Exactly', { one: {}, two: {} });
    expect((await search('Exactly', { limit: 2 })).body.nextCursor).toBeNull();
    expect((await search('Exactly', { limit: 1 })).body.nextCursor).toEqual(expect.any(String));
  });

  test.each([
    ['limit=0', 'query.limit'],
    ['limit=101', 'query.limit'],
    ['minRating=6', 'query.minRating'],
    ['currency=XDR', 'query.currency'],
    ['currency=eur', 'query.currency'],
    ['currency=EUR&maxPrice=-1', 'query.maxPrice'],
    ['currency=EUR&maxPrice=1.5', 'query.maxPrice'],
    ['currency=EUR&maxPrice=', 'query.maxPrice'],
    ['minRating=NaN', 'query.minRating'],
    ['currency=EUR&maxPrice=1&maxPrice=2', 'query.maxPrice'],
    ['sort=name', 'query.sort'],
    ['cursor=abc', 'query.cursor'],
    ['q=%00', 'query.q'],
    ['page=2', 'query.page'],
  ])('%s is not valid', async (query, path) => {
    const reply = await service.ask('GET', `/api/tutors?${query}`);
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
  });

  test('a cursor is of one sort only', async () => {
    await tutors('Cursor', { one: {}, two: {} });
    const { body } = await search('Cursor', { limit: 1, sort: 'newest' });
    expect(
      (await search('Cursor', { limit: 1, sort: 'price_asc', currency: 'EUR', cursor: body.nextCursor })).status,
    ).toBe(422);
  });

  test('what is not a tutor is not found', async () => {
    expect((await service.ask('GET', `/api/tutors/${nowhere}`)).status).toBe(404);
    expect((await service.ask('GET', '/api/tutors/no-id')).status).toBe(404);
    expect((await service.ask('GET', `/api/tutors/${nowhere}/slots`)).status).toBe(404);
  });
});
