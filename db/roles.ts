import { createHmac } from 'node:crypto';
import type { DatabaseContext } from '../kernel/modules';

/** Who owns a database: a context, or the event bus. */
export type DatabaseOwner = DatabaseContext | 'bus';

/** The roles that open the event bus beside its owner: relays append, consumers read. */
export const BUS_ROLES = ['bus_appender', 'bus_reader'] as const;
export type BusRole = (typeof BUS_ROLES)[number];

/** The database of an owner: `booking_db`. The role `booking` owns it, and is its only user; `bus_db` has the bus roles too. */
export const databaseName = (owner: DatabaseOwner) => `${owner}_db`;

/** The password of a role: HMAC-SHA-256 of its name, so that one secret serves all and none can be derived from another. */
export function rolePassword(role: DatabaseOwner | BusRole, secret: string): string {
  return createHmac('sha256', secret).update(`database-role:${role}`).digest('base64url');
}

/** The connection string of the role that owns a database, on the server that `serverUrl` names. @throws TypeError when that is no URL */
export function ownerUrl(serverUrl: string, owner: DatabaseOwner, secret: string): string {
  return urlOf(serverUrl, owner, owner, secret);
}

/** The same of a role that opens the event bus. @throws TypeError when `serverUrl` is no URL */
export function busUrl(serverUrl: string, role: BusRole, secret: string): string {
  return urlOf(serverUrl, role, 'bus', secret);
}

function urlOf(serverUrl: string, role: DatabaseOwner | BusRole, owner: DatabaseOwner, secret: string): string {
  const url = new URL(serverUrl);
  url.username = role;
  url.password = rolePassword(role, secret);
  url.pathname = `/${databaseName(owner)}`;
  return url.toString();
}
