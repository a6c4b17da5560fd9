import { verifiedAddresses } from '../../../db/schema/notification';
import type { Projection } from '../../../platform/bus/consumer';
import { handling } from '../../../platform/bus/handling';
import { identityEvents } from '../../identity/events';

/** Who has shown that their address is theirs. It is told once of each person, and never taken back. */
export const verifiedAddressesProjection: Projection = {
  kind: 'projection',
  name: 'verified-addresses',
  topic: 'identity.events',
  tables: ['verified_addresses'],
  ...handling(identityEvents, {
    async UserEmailVerified(tx, { userId }, { time }) {
      await tx
        .insert(verifiedAddresses)
        .values({ userId, verifiedAt: new Date(time) })
        .onConflictDoNothing();
    },
  }),
};
