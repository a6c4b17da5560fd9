import { uuidv7 } from '../platform/ids';
import { CONTACTS_AT_ONCE } from '../services/notification/contract';
import { contactOf } from '../tests/support/notifications';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createContactActivities } from './contacts';

let services: StandIns;
beforeAll(async () => {
  services = await startStandIns();
});
afterAll(() => services.close());
beforeEach(() => services.forget());

test('a page of people is handed over as it came, and what is said of it names nobody', async () => {
  const { bringContacts } = createContactActivities(services.clients);
  const items = [contactOf(), contactOf()];
  const next = items[1]?.userId;
  services.answers.internalListContacts = { items, next };
  services.answers.bringContacts = { changed: 1 };
  expect(await bringContacts({ after: null })).toEqual({ people: 2, changed: 1, next });
  const after = uuidv7();
  services.answers.internalListContacts = { items: [], next: null };
  services.answers.bringContacts = { changed: 0 };
  expect(await bringContacts({ after })).toEqual({ people: 0, changed: 0, next: null });
  expect(services.calls.map(({ operation, path, body }) => [operation, path, body])).toEqual([
    ['internalListContacts', `/internal/contacts?limit=${CONTACTS_AT_ONCE}`, undefined],
    ['bringContacts', '/internal/contacts', { items }],
    ['internalListContacts', `/internal/contacts?after=${after}&limit=${CONTACTS_AT_ONCE}`, undefined],
    ['bringContacts', '/internal/contacts', { items: [] }],
  ]);
});
