import { startTestService, type TestService } from '../../../tests/support/service';
import { asTutor, listedTutor, newTutor, paths } from '../../../tests/support/tutors';
import { tutoringService } from '.';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const as = asTutor(() => service);

describe('hours', () => {
  const invalid: [what: string, hours: Record<string, unknown>, path: string][] = [
    ['reversed', { weekly: [{ weekday: 1, from: '17:00', to: '09:00' }] }, 'weekly.0.to'],
    [
      'overlapping',
      {
        weekly: [
          { weekday: 1, from: '09:00', to: '17:00' },
          { weekday: 1, from: '16:00', to: '18:00' },
        ],
      },
      'weekly.1',
    ],
    ['on an eighth weekday', { weekly: [{ weekday: 8, from: '09:00', to: '17:00' }] }, 'weekly.0.weekday'],
    ['from 24:00', { weekly: [{ weekday: 1, from: '24:00', to: '24:00' }] }, 'weekly.0.from'],
    ['with seconds', { weekly: [{ weekday: 1, from: '09:00:00', to: '10:00' }] }, 'weekly.0.from'],
    ['on a date there is not', { exceptions: [{ date: '2030-02-30', available: false }] }, 'exceptions.0.date'],
    ['in the year 0', { exceptions: [{ date: '0000-01-01', available: false }] }, 'exceptions.0.date'],
    ['without from or to', { exceptions: [{ date: '2030-02-03' }] }, 'exceptions.0'],
    [
      'a day off twice',
      {
        exceptions: [
          { date: '2030-02-03', available: false },
          { date: '2030-02-03', available: false },
        ],
      },
      'exceptions.1',
    ],
    ['in no zone', { timeZone: 'Nowhere' }, 'timeZone'],
  ];
  test.each(invalid)('%s are not valid and change nothing', async (_, hours, path) => {
    const tutor = await listedTutor(service);
    const before = await as(tutor, 'GET', '/api/tutors/profile');
    const body = { timeZone: 'UTC', weekly: [], exceptions: [], ...hours };
    const reply = await as(tutor, 'PUT', '/api/tutors/availability', body);
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
    expect((await as(tutor, 'GET', '/api/tutors/profile')).body).toEqual(before.body);
  });
});

describe('prices', () => {
  const hourly = (amount: number, currency = 'EUR') => ({ kind: 'hourly', price: { amount, currency } });

  test('replace each other; an option that stays keeps its id', async () => {
    const tutor = await listedTutor(service);
    const bundle = { kind: 'package', price: { amount: 20_000, currency: 'EUR' }, sessions: 5, label: 'Exam month' };
    const first = await as(tutor, 'PUT', '/api/tutors/pricing', { options: [hourly(5000), bundle] });
    expect(first.status).toBe(200);
    expect(first.body.options).toMatchObject([hourly(5000), bundle]);
    const second = await as(tutor, 'PUT', '/api/tutors/pricing', { options: [bundle, hourly(6000)] });
    expect(second.body.options[0].id).toBe(first.body.options[1].id);
    expect(second.body.options[1].id).not.toBe(first.body.options[0].id);
    const read = async () => (await service.ask('GET', `/api/tutors/${tutor.id}`)).body;
    expect(await read()).toMatchObject({ pricing: second.body.options, listed: true });
    expect((await as(tutor, 'PUT', '/api/tutors/pricing', { options: [] })).body).toEqual({ options: [] });
    expect(await read()).toMatchObject({ pricing: [], listed: false });
  });

  const invalid: [what: string, options: unknown[], path: string][] = [
    ['below 100 minor units', [hourly(99)], 'options.0.price.amount'],
    ['negative', [hourly(-4500)], 'options.0.price.amount'],
    ['a fraction', [hourly(45.5)], 'options.0.price.amount'],
    ['beyond what can be charged', [hourly(100_000_000)], 'options.0.price.amount'],
    ['in no currency', [hourly(4500, 'EUX')], 'options.0.price.currency'],
    ['in a currency that does not settle', [hourly(450_000, 'SEK')], 'options.0.price.currency'],
    ['in one that Stripe does not charge', [hourly(450_000, 'KPW')], 'options.0.price.currency'],
    ['in none of money', [hourly(4500, 'XDR')], 'options.0.price.currency'],
    ['in two currencies', [hourly(4500), hourly(4500, 'USD')], 'options.1.price.currency'],
    ['listed twice', [hourly(4500), hourly(4500)], 'options.1'],
    ['of a package without sessions', [{ ...hourly(4500), kind: 'package' }], 'options.0.sessions'],
    ['of an hour with sessions', [{ ...hourly(4500), sessions: 2 }], 'options.0.sessions'],
    ['of a kind there is not', [{ ...hourly(4500), kind: 'monthly' }], 'options.0.kind'],
  ];
  test.each(invalid)('%s are not valid', async (_, options, path) => {
    const tutor = await newTutor(service);
    const reply = await as(tutor, 'PUT', '/api/tutors/pricing', { options });
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
  });
});
