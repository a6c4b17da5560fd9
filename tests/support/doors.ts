import type { Access } from '../../platform/endpoint';
import { uuidv7 } from '../../platform/ids';
import { contracts } from './contracts';

const isForUsers = (access: Access) => access === 'user' || typeof access !== 'string';

/**
 * The doors of every service that takes tokens itself: all but the gateway, which hands them on. Of each the first that can be read by GET
 * with a user's token, and the first for the platform's own parts; undefined where those read nothing.
 */
export const DOORS = [...contracts].map(([context, contract]) => {
  const first = (isMeant: (access: Access) => boolean) =>
    Object.values(contract)
      .find(({ method, access }) => method === 'get' && isMeant(access))
      ?.path.replaceAll(/\{\w+\}/g, () => uuidv7());
  const user = first(isForUsers);
  if (!user) throw new Error(`${context} lets no user read anything`);
  return { context, user, internal: first((access) => access === 'service') };
});
