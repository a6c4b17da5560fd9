import { ProblemError } from '../../../kernel/errors';
import type { Party } from '../../../kernel/session';
import { requireActReason } from '../../../platform/audit';
import type { User } from '../../../platform/auth';
import type { Service } from '../../../platform/http-server';
import { clientRequest, type StoredReply } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { done, ok } from '../../../platform/replies';
import { answerOnce } from '../../../platform/saga-request';
import type { ServiceDeps } from '../../../platform/service';
import { updateIdOf } from '../../../platform/temporal';
import {
  bookingWorkflowId,
  cancelUpdate,
  completeUpdate,
  confirmUpdate,
  declineUpdate,
  rescheduleUpdate,
} from '../../../workflows/booking.api';
import { resolve } from '../../../workflows/saga.api';
import {
  type BookingOrRequested,
  bookingContract as contract,
  type InternalBooking,
  type RequestedBooking,
} from '../contract';
import { type Command, commandRefusal, isFulfilled, partyOf } from '../rules/commands';
import { visibleTo } from '../rules/visible';
import { setMeetingUrl } from '../store/meeting-link';
import { readBookingOrRequested, readRequest } from '../store/reads';
import { type CommandRun, callOffRequest, claimCommand, type Note } from '../store/requests';

/** What every command's request has, whatever its body. */
interface CommandCall {
  params: { id: string };
  user: User;
  idempotencyKey: string | undefined;
  fingerprint: string;
  receivedAt: Date;
}

/** A command, and by whom of which booking it was asked. */
interface Asked {
  command: Command;
  booking: InternalBooking | RequestedBooking;
  party: Party;
  /** What speaks against it already; the key's first request stores it. */
  refusal: ProblemError | undefined;
}

/** What people do to a booking: each command is an update of the booking's saga, which has the last word. */
export function serveCommands(service: Service, { database: { db }, sagas }: ServiceDeps): void {
  service.serve(contract.confirmBooking, async (call) => {
    const asked = await admit(call, { kind: 'confirm' });
    return answer(contract.confirmBooking, call, asked, undefined, () =>
      askSaga(call, asked, confirmUpdate, { actorId: call.user.id }),
    );
  });

  service.serve(contract.declineBooking, async (call) => {
    const asked = await admit(call, { kind: 'decline' });
    const note: Note = { kind: 'decline', text: call.body.reason };
    return answer(contract.declineBooking, call, asked, note, ({ noteId }) =>
      askSaga(call, asked, declineUpdate, { actorId: call.user.id, noteId }),
    );
  });

  service.serve(contract.cancelBooking, async (call) => {
    const asked = await admit(call, { kind: 'cancel' });
    if (asked.party === 'operator') requireActReason(call.body.reason);
    const note: Note = { kind: 'cancel', text: call.body.reason };
    return answer(contract.cancelBooking, call, asked, note, async ({ noteId, requestedAt }) => {
      const { booking, party: by } = asked;
      // A request whose saga never began has nobody to ask, and a repeated POST would book it after all.
      if (booking.price === null && (await callOffRequest(db, booking.id, { by, noteId }))) return;
      await askSaga(call, asked, cancelUpdate, {
        by,
        actorId: call.user.id,
        noteId,
        requestedAt: requestedAt.toISOString(),
      });
    });
  });

  service.serve(contract.completeBooking, async (call) => {
    const asked = await admit(call, { kind: 'complete' });
    return answer(contract.completeBooking, call, asked, undefined, ({ requestedAt }) =>
      askSaga(call, asked, completeUpdate, { actorId: call.user.id, requestedAt: requestedAt.toISOString() }),
    );
  });

  service.serve(contract.changeBooking, async (call) => {
    const { scheduledAt, meetingUrl } = call.body;
    const asked = await admit(call, { kind: 'change', ...call.body });
    const { booking, party } = asked;
    return answer(contract.changeBooking, call, asked, undefined, async (run) => {
      if (scheduledAt !== undefined && scheduledAt !== booking.scheduledAt) {
        const requestedAt = run.requestedAt.toISOString();
        await askSaga(call, asked, rescheduleUpdate, { by: party, actorId: call.user.id, scheduledAt, requestedAt });
      }
      if (meetingUrl !== undefined) await setMeetingUrl(db, booking.id, meetingUrl);
    });
  });

  service.serve(contract.resolveBooking, async (call) => {
    const { bookingId } = await readRequest(db, call.params.id);
    const note: Note = { kind: 'resolve', text: call.body.note };
    return oncePerKey(
      call,
      `/api/bookings/${bookingId}/resolve`,
      {
        ...{ bookingId, note, refusal: undefined },
        act: { act: 'saga_resolved', before: {}, after: { step: call.body.step ?? null, action: call.body.action } },
      },
      {
        async run({ noteId }) {
          const options = { updateId: updateId(call, 'resolve', bookingId) };
          const { step, action } = call.body;
          await sagas.update(bookingWorkflowId(bookingId), resolve, { ...(step && { step }), action, noteId }, options);
          return done;
        },
        repeat: () => done,
      },
    );
  });

  /**
   * Looks who asks, and what speaks against the command already.
   * @throws ProblemError not_found to a stranger; forbidden to a party that may never ask this
   */
  async function admit(call: CommandCall, command: Command): Promise<Asked> {
    const booking = await readBookingOrRequested(db, call.params.id);
    const party = partyOf(booking, call.user);
    if (party === undefined) throw new ProblemError('not_found');
    const refusal = commandRefusal(command, party, booking, call.receivedAt);
    if (refusal?.code === 'forbidden') throw refusal;
    return { command, booking, party, refusal };
  }

  /** Carries the command out once per key by `act`, and shows what became of the booking. */
  function answer<Shown extends BookingOrRequested>(
    operation: { path: string; replies: { 200: { parse(value: unknown): Shown } } },
    call: CommandCall,
    { command, booking, party, refusal }: Asked,
    note: Note | undefined,
    act: (run: CommandRun) => Promise<void>,
  ) {
    const { parse } = operation.replies[200];
    // As it is stored: ids in a path may be written in capitals, workflow ids may not.
    const { id } = booking;
    return oncePerKey(
      call,
      operation.path.replace('{id}', id),
      {
        ...{ bookingId: id, note, refusal },
        ...(party === 'operator' && {
          act: { act: 'booking_command', before: { status: booking.status }, after: { command: command.kind } },
        }),
      },
      {
        async run(run) {
          await act(run);
          return ok(parse(visibleTo(party, await readBookingOrRequested(db, id))));
        },
        repeat: (stored) => ok(parse(stored.body)),
      },
    );
  }

  /** Asks the booking's saga. Where the key was freed meanwhile, a retry attaches to the same update. */
  async function askSaga<Argument>(
    call: CommandCall,
    { command, party, booking: { id } }: Asked,
    update: { name: string },
    argument: Argument,
  ): Promise<void> {
    const options = { updateId: updateId(call, command.kind, id) };
    await sagas.update(bookingWorkflowId(id), update, argument, options).catch(async (error: unknown) => {
      if (!isLate(error)) throw error;
      // The saga may go on for longer than the client waits, with what was asked for long done, or impossible by now.
      const now = await readBookingOrRequested(db, id);
      if (!isFulfilled(command, party, now)) throw commandRefusal(command, party, now, call.receivedAt) ?? error;
    });
  }

  async function oncePerKey<Reply extends StoredReply>(
    call: CommandCall,
    path: string,
    command: Omit<Parameters<typeof claimCommand>[2], 'authorId' | 'receivedAt'>,
    replies: { run(run: CommandRun): Promise<Reply>; repeat(stored: StoredReply): Reply },
  ): Promise<Reply> {
    const { user, idempotencyKey, receivedAt } = call;
    const request = idempotencyKey === undefined ? undefined : clientRequest({ ...call, idempotencyKey }, path);
    const claimed = await claimCommand(db, request, { ...command, authorId: user.id, receivedAt });
    return answerOnce(db, request, claimed, replies);
  }
}

function updateId({ user, idempotencyKey }: CommandCall, kind: string, bookingId: string): string {
  return updateIdOf(user.id, `${kind}:${bookingId}`, idempotencyKey ?? uuidv7());
}

function isLate(error: unknown): boolean {
  return error instanceof ProblemError && error.code === 'upstream_unavailable';
}
