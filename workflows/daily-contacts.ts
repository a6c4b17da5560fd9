import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { ContactActivities } from '../activities/contacts';
import { UNTIL_DONE_DAYLONG } from './activity-options';
import type { DailyContactsResult, DailyContactsSoFar } from './daily-contacts.api';

const act = proxyActivities<ContactActivities>(UNTIL_DONE_DAYLONG);

/** So many pages a run: some hundred events. */
const PAGES_A_RUN = 100;

/**
 * One run of the Schedule `daily-contacts`: see `docs/sagas/daily-contacts.md`. It goes through everybody, a page at a time. Whatever is repeated,
 * or runs twice at once, leaves nothing older than there was. The history has ids and counts.
 */
export async function dailyContacts(soFar?: DailyContactsSoFar): Promise<DailyContactsResult> {
  let { people, changed, after } = soFar ?? { people: 0, changed: 0, after: null };
  for (let pages = 0; pages < PAGES_A_RUN; pages++) {
    const page = await act.bringContacts({ after });
    people += page.people;
    changed += page.changed;
    if (page.next === null) return { people, changed };
    after = page.next;
  }
  return continueAsNew<typeof dailyContacts>({ people, changed, after });
}
