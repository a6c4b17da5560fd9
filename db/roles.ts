import { createHmac } from 'node:crypto';
import type { DatabaseContext } from '../kernel/modules';

/** The database of a context: `booking_db`. Its owner and only user is the role `booking`. */
export const databaseName = (context: DatabaseContext) => `${context}_db`;

/** The password of a context's role: HMAC-SHA-256 of its name, so that one secret serves all and none can be derived from another. */
export function rolePassword(context: DatabaseContext, secret: string): string {
  return createHmac('sha256', secret).update(`database-role:${context}`).digest('base64url');
}

/** The connection string of `context`'s own role on the server that `serverUrl` names. @throws TypeError when that is no URL */
export function contextUrl(serverUrl: string, context: DatabaseContext, secret: string): string {
  const url = new URL(serverUrl);
  url.username = context;
  url.password = rolePassword(context, secret);
  url.pathname = `/${databaseName(context)}`;
  return url.toString();
}
