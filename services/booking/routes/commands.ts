import { ProblemError } from '../../../kernel/errors';
import type { User } from '../../../platform/auth';
import type { Service } from '../../../platform/http-server';
import { clientRequest, keepAnswer, type StoredReply, throwStored } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import type { ServiceDeps } from '../../../platform/service';
import { updateIdOf } from '../../../platform/temporal';
import {
  bookingWorkflowId,
  cancelBooking,
  completeBooking,
  confirmBooking,
  declineBooking,
  rescheduleBooking,
  resolve,
} from '../../../workflows/booking.api';
import {
  bookingContract as api,
  type BookingOrRequested,
  type InternalBooking,
  type RequestedBooking,
} from '../contract';
import { isFulfilled, type Side, sideOf, visibleTo, type Wish, wishRefusal } from '../rules';
import { readBookingOrRequested, readRequest, setMeetingUrl } from '../store/reads';
import { type CommandRun, claimCommand, type Note } from '../store/requests';

/** What every command has, whatever its body. */
interface CommandCall {
  params: { id: string };
  user: User;
  idempotencyKey: string | undefined;
  fingerprint: string;
  receivedAt: Date;
}

/** Sends an update to the booking's saga. */
type AskSaga = <Argument>(update: { name: string }, argument: Argument) => Promise<void>;

interface Scene {
  booking: InternalBooking | RequestedBooking;
  side: Side;
  run: CommandRun;
  ask: AskSaga;
}

/** What people do to a booking: each is an update of its saga, which has the last word. */
export function serveCommands(service: Service, { database, sagas }: ServiceDeps): void {
  const { db } = database;

  service.serve(api.confirmBooking, (call) =>
    obey(api.confirmBooking, call, { action: 'confirm' }, undefined, ({ ask }) =>
      ask(confirmBooking, { actorId: call.user.id }),
    ),
  );

  service.serve(api.declineBooking, (call) =>
    obey(
      api.declineBooking,
      call,
      { action: 'decline' },
      noteOf('decline', call.body.reason),
      ({ ask, run: { noteId } }) => ask(declineBooking, { actorId: call.user.id, noteId }),
    ),
  );

  service.serve(api.cancelBooking, (call) =>
    obey(api.cancelBooking, call, { action: 'cancel' }, noteOf('cancel', call.body.reason), ({ ask, side, run }) =>
      ask(cancelBooking, {
        by: side,
        actorId: call.user.id,
        noteId: run.noteId,
        requestedAt: run.requestedAt.toISOString(),
      }),
    ),
  );

  service.serve(api.completeBooking, (call) =>
    obey(api.completeBooking, call, { action: 'complete' }, undefined, ({ ask, run }) =>
      ask(completeBooking, { actorId: call.user.id, requestedAt: run.requestedAt.toISOString() }),
    ),
  );

  service.serve(api.changeBooking, (call) => {
    const { scheduledAt, meetingUrl } = call.body;
    return obey(
      api.changeBooking,
      call,
      { action: 'change', ...call.body },
      undefined,
      async ({ ask, booking, side, run }) => {
        if (scheduledAt !== undefined && scheduledAt !== booking.scheduledAt) {
          const requestedAt = run.requestedAt.toISOString();
          await ask(rescheduleBooking, { by: side, actorId: call.user.id, scheduledAt, requestedAt });
        }
        if (meetingUrl !== undefined) await setMeetingUrl(db, booking.id, meetingUrl);
      },
    );
  });

  service.serve(api.resolveBooking, async (call) => {
    const { bookingId: id } = await readRequest(db, call.params.id);
    return perform(call, id, {
      path: `/api/bookings/${id}/resolve`,
      note: { kind: 'resolve', text: call.body.note },
      refusal: undefined,
      act: async ({ noteId }, updateId) => {
        await sagas.update(
          bookingWorkflowId(id),
          resolve,
          { action: call.body.action, noteId },
          { updateId: updateId('resolve') },
        );
      },
      reply: async () => ({ status: 204, body: undefined }),
      repeat: () => ({ status: 204, body: undefined }),
    });
  });

  /** Looks who asks, refuses what is certain to be refused, and otherwise lets `act` ask the saga. */
  async function obey<Shown extends BookingOrRequested>(
    operation: { path: string; replies: { 200: { parse(value: unknown): Shown } } },
    call: CommandCall,
    wish: Wish,
    note: Note | undefined,
    act: (scene: Scene) => Promise<void>,
  ): Promise<{ status: 200; body: Shown }> {
    const { parse } = operation.replies[200];
    const booking = await readBookingOrRequested(db, call.params.id);
    // As it is stored: ids in a path may be written in capitals, workflow ids may not.
    const { id } = booking;
    const side = sideOf(booking, call.user);
    if (side === undefined) throw new ProblemError('not_found');
    const refusal = wishRefusal(wish, side, booking, call.receivedAt);
    if (refusal?.code === 'forbidden') throw refusal;
    return perform(call, id, {
      path: operation.path.replace('{id}', id),
      note,
      refusal,
      act: (run, updateId) => {
        const ask: AskSaga = async (update, argument) => {
          const options = { updateId: updateId(wish.action) };
          await sagas.update(bookingWorkflowId(id), update, argument, options).catch(async (error: unknown) => {
            // The saga may go on for longer than the client waits, with what was asked for long done.
            if (!isLate(error) || !isFulfilled(wish, await readBookingOrRequested(db, id))) throw error;
          });
        };
        return act({ booking, side, run, ask });
      },
      reply: async () => ({ status: 200, body: parse(visibleTo(side, await readBookingOrRequested(db, id))) }),
      repeat: (stored) => ({ status: 200, body: parse(stored.body) }),
    });
  }

  /** Runs a command once per key. Where the key was freed, a retry attaches to the same update of the saga. */
  async function perform<Reply extends StoredReply>(
    call: CommandCall,
    bookingId: string,
    command: {
      path: string;
      note: Note | undefined;
      refusal: ProblemError | undefined;
      act(run: CommandRun, updateId: (action: string) => string): Promise<void>;
      reply(): Promise<Reply>;
      repeat(stored: StoredReply): Reply;
    },
  ): Promise<Reply> {
    const { user, idempotencyKey, receivedAt } = call;
    const { note, refusal } = command;
    const request = idempotencyKey === undefined ? undefined : clientRequest({ ...call, idempotencyKey }, command.path);
    const claim = await claimCommand(db, request, { bookingId, authorId: user.id, note, receivedAt, refusal });
    if (claim.kind === 'refused') throw claim.problem;
    if (claim.kind === 'replay') {
      throwStored(claim.reply);
      return command.repeat(claim.reply);
    }
    const key = idempotencyKey ?? uuidv7();
    return keepAnswer(db, request, async () => {
      await command.act(claim, (action) => updateIdOf(user.id, `${action}:${bookingId}`, key));
      return command.reply();
    });
  }
}

function noteOf(kind: Note['kind'], text: string | undefined): Note | undefined {
  return text === undefined ? undefined : { kind, text };
}

function isLate(error: unknown): boolean {
  return error instanceof ProblemError && error.code === 'upstream_unavailable';
}
