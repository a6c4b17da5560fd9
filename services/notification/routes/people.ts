import { isUuid } from '../../../kernel/ids';
import { listCursor } from '../../../platform/cursor';
import type { Service } from '../../../platform/http-server';
import { ok } from '../../../platform/replies';
import { Uuid } from '../../../platform/schemas';
import type { ServiceDeps } from '../../../platform/service';
import { notificationContract as contract } from '../contract';
import { listNotifications, markAllRead, markRead } from '../store/inbox';
import { readPreferences, writePreferences } from '../store/preferences';

/**
 * The cursor of the page that ends with the notification of this id. Ids are UUIDv7 and so sort by time. `Uuid` accepts
 * the nil id too, which no notification has.
 */
export const inboxCursor = listCursor(Uuid.refine(isUuid));

/** What people call: they read what they were told, mark it as read and choose their optional messages. */
export function servePeople(service: Service, deps: ServiceDeps): void {
  serveInbox(service, deps);
  servePreferences(service, deps);
}

function serveInbox(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.listNotifications, async ({ user, query }) => {
    const { items, nextId, unreadCount } = await listNotifications(db, user.id, {
      before: query.cursor === undefined ? undefined : inboxCursor.read(query.cursor),
      limit: query.limit,
      unreadOnly: query.unread === 'true',
    });
    return ok({ items, nextCursor: nextId && inboxCursor.write(nextId), unreadCount });
  });

  service.serve(contract.markAllNotificationsRead, async ({ user }) => ok({ marked: await markAllRead(db, user.id) }));

  service.serve(contract.markNotificationRead, async ({ user, params }) => ok(await markRead(db, user.id, params.id)));
}

function servePreferences(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.getNotificationPreferences, async ({ user }) => ok(await readPreferences(db, user.id)));

  service.serve(contract.putNotificationPreferences, async ({ user, body }) =>
    ok(await writePreferences(db, user.id, body)),
  );
}
