import { ProblemError } from '../../../kernel/errors';
import { listCursor } from '../../../platform/cursor';
import type { Service } from '../../../platform/http-server';
import { clientRequest } from '../../../platform/idempotency';
import { created, ok } from '../../../platform/replies';
import { answerOnce } from '../../../platform/saga-request';
import { Uuid } from '../../../platform/schemas';
import type { Sagas } from '../../../platform/temporal';
import { payoutSaga } from '../../../workflows/payout.api';
import { connectedAccountOf } from '../accounts/store';
import { paymentContract as contract, Payout } from '../contract';
import { shownPayout } from '../payouts/rules';
import { requestPayout } from '../payouts/store/opening';
import { listPayouts, readPayout } from '../payouts/store/payouts';
import type { Till } from '../till';

/** The cursor of the page that ends with this payout. */
const payoutCursor = listCursor(Uuid);

/** What people see of what is paid out to them, and ask for: their own alone. */
export function servePayouts(service: Service, { db, minimums }: Till, sagas: Sagas): void {
  service.serve(contract.initiatePayout, async (call) => {
    const { user } = call;
    const request = clientRequest(call, '/api/payouts/initiate');
    const isConnected = (await connectedAccountOf(db, user.id)) !== null;
    const claimed = await requestPayout(db, request, user.id, call.body, { minimums, isConnected });
    return answerOnce(db, request, claimed, {
      async run({ resourceId: payoutId }) {
        const payout = await readPayout(db, payoutId);
        if (payout.sagaStartedAt === null) await sagas.start(payoutSaga, { payoutId, payeeId: user.id });
        return created(shownPayout(payout));
      },
      repeat: ({ body }) => created(Payout.parse(body)),
    });
  });

  service.serve(contract.listPayouts, async ({ user, query: { cursor, limit } }) => {
    const before = cursor === undefined ? undefined : payoutCursor.read(cursor);
    const found = await listPayouts(db, user.id, { limit: limit + 1, before });
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    return ok({
      items: items.map(shownPayout),
      nextCursor: last ? payoutCursor.write(last.id) : null,
    });
  });

  service.serve(contract.getPayout, async ({ params, user }) => {
    const payout = await readPayout(db, params.id);
    if (payout.payeeId !== user.id && user.role !== 'admin') throw new ProblemError('not_found');
    return ok(shownPayout(payout));
  });
}
