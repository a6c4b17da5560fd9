import { ProblemError } from '../../../kernel/errors';
import { listCursor } from '../../../platform/cursor';
import type { Service } from '../../../platform/http-server';
import { ok } from '../../../platform/replies';
import { Uuid } from '../../../platform/schemas';
import type { Sagas } from '../../../platform/temporal';
import { paymentContract as contract } from '../contract';
import { acceptDispute, submitEvidence } from '../disputes/dispute';
import { shownDispute } from '../disputes/rules';
import { wakeDispute } from '../disputes/sagas';
import { type DisputeView, listDisputes, readDispute } from '../disputes/store/disputes';
import { stateDispute } from '../disputes/store/evidence';
import type { Till } from '../till';

/** The cursor of the page that ends with this dispute. */
const disputeCursor = listCursor(Uuid);

const shown = ({ dispute, payment, statement }: DisputeView) => ok(shownDispute(dispute, payment, statement));

/** What payees and administrators see of disputes, and do about them. */
export function serveDisputes(service: Service, till: Till, sagas: Sagas): void {
  const { db } = till;

  /** A payee's own; an administrator's all. */
  async function visible(id: string, user: { id: string; role: string }): Promise<DisputeView> {
    const view = await readDispute(db, id);
    if (view.payment.payeeId !== user.id && user.role !== 'admin') throw new ProblemError('not_found');
    return view;
  }

  service.serve(contract.listDisputes, async ({ user, query: { cursor, limit, open } }) => {
    const before = cursor === undefined ? undefined : disputeCursor.read(cursor);
    const payeeId = user.role === 'admin' ? null : user.id;
    const found = await listDisputes(db, { payeeId, open, before, limit: limit + 1 });
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    return ok({
      items: items.map(({ dispute, payment, statement }) => shownDispute(dispute, payment, statement)),
      nextCursor: last ? disputeCursor.write(last.dispute.id) : null,
    });
  });

  service.serve(contract.getDispute, async ({ params, user }) => shown(await visible(params.id, user)));

  service.serve(contract.stateDispute, async ({ params, user, body }) => {
    const { payment } = await visible(params.id, user);
    // What is said is the payee's own word.
    if (payment.payeeId !== user.id) throw new ProblemError('not_found');
    return shown(await told(await stateDispute(db, params.id, body.text)));
  });

  service.serve(contract.submitDispute, async ({ params: { id }, user, body }) => {
    const by = { adminId: user.id, reason: body.reason };
    const { view, isSent } = await submitEvidence(till, id, `dispute:${id}/submit`, by);
    await told(view);
    if (isSent) return shown(view);
    const wasSent = view.dispute.submittedAt !== null;
    throw new ProblemError(
      'invalid_state',
      wasSent ? 'It has been sent already' : 'The bank waits for nothing any more, or there is nothing to say',
    );
  });

  service.serve(contract.acceptDispute, async ({ params, user, body }) =>
    shown(await told(await acceptDispute(till, params.id, { adminId: user.id, reason: body.reason }))),
  );

  /** Its saga goes on at once. Should that fail, it looks by itself within a day. */
  async function told(view: DisputeView): Promise<DisputeView> {
    await wakeDispute(till, sagas, view);
    return view;
  }
}
