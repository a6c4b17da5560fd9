-- From here on the fold of their events is the row of each payment, refund and payout, and each movement in the ledger: each of before gets an event
-- that says what it is like now. Who writes any of them locks a payee or a payment first, in this order, and so waits; the versions of streams
-- stand still.
lock table "payees" in exclusive mode;
--> statement-breakpoint
lock table "payments" in exclusive mode;
--> statement-breakpoint
create function pg_temp.at(timestamptz) returns text language sql immutable
  as $$ select to_char($1 at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;
--> statement-breakpoint
create function pg_temp.money(bigint, text) returns jsonb language sql immutable
  as $$ select jsonb_build_object('amount', $1, 'currency', $2) $$;
--> statement-breakpoint
create function pg_temp.code(text) returns text language sql immutable
  as $$ select case when $1 is null or $1 ~ '^[a-z0-9_.]{1,64}$' then $1 else 'other' end $$;
--> statement-breakpoint
create function pg_temp.both(uuid, uuid) returns jsonb language sql immutable
  as $$ select case when $1 = $2 then jsonb_build_array($1) else jsonb_build_array($1, $2) end $$;
--> statement-breakpoint
create function pg_temp.next(text) returns integer language sql stable
  as $$ select coalesce(max("version"), 0) + 1 from "events" where "stream_id" = $1 $$;
--> statement-breakpoint
insert into "events" ("event_id", "stream_id", "version", "type", "data")
select gen_random_uuid(), p."id"::text, pg_temp.next(p."id"::text), 'PaymentBaseline',
  jsonb_build_object(
    'paymentId', p."id",
    'bookingId', case when p."subject_kind" = 'booking' then p."subject_id" end,
    'payerId', p."payer_id",
    'payeeId', p."payee_id",
    'participantIds', pg_temp.both(p."payer_id", p."payee_id"),
    'paymentVersion', p."version",
    'status', p."status",
    'amount', pg_temp.money(p."amount", p."currency"),
    'captured', pg_temp.money(p."captured", p."currency"),
    'refunded', pg_temp.money(p."refunded", p."currency"),
    'releasedAt', pg_temp.at(p."released_at"),
    'createdAt', pg_temp.at(p."created_at"),
    'state', jsonb_build_object(
      'subjectKind', p."subject_kind",
      'subjectId', p."subject_id",
      'capture', p."capture",
      'fee', pg_temp.money(p."fee", p."currency"),
      'refundPending', pg_temp.money(p."refund_pending", p."currency"),
      'disputed', pg_temp.money(p."disputed", p."currency"),
      'chargedBack', pg_temp.money(p."charged_back", p."currency"),
      'captureBefore', pg_temp.at(p."capture_before"),
      'declineCode', pg_temp.code(p."decline_code"),
      'refusal', p."refusal",
      'settledAt', pg_temp.at(p."settled_at"),
      'earningsDueAt', pg_temp.at(p."earnings_due_at")
    )
  )
from "payments" p
order by p."id";
--> statement-breakpoint
insert into "events" ("event_id", "stream_id", "version", "type", "data")
select gen_random_uuid(), r."id"::text, pg_temp.next(r."id"::text), 'RefundBaseline',
  jsonb_build_object(
    'refundId', r."id",
    'paymentId', p."id",
    'bookingId', case when p."subject_kind" = 'booking' then p."subject_id" end,
    'payerId', p."payer_id",
    'payeeId', p."payee_id",
    'participantIds', pg_temp.both(p."payer_id", p."payee_id"),
    'paymentVersion', p."version",
    'paymentStatus', p."status",
    'paymentAmount', pg_temp.money(p."amount", p."currency"),
    'captured', pg_temp.money(p."captured", p."currency"),
    'refunded', pg_temp.money(p."refunded", p."currency"),
    'status', r."status",
    'amount', pg_temp.money(r."amount", r."currency"),
    'createdAt', pg_temp.at(r."created_at"),
    'state', jsonb_build_object(
      'origin', r."origin",
      'requestedBy', r."requested_by",
      'tries', r."tries",
      'closedAs', r."closed_as"
    )
  ) || jsonb_strip_nulls(jsonb_build_object('failureCode', pg_temp.code(r."failure_code")))
from "refunds" r join "payments" p on p."id" = r."payment_id"
order by r."id";
--> statement-breakpoint
insert into "events" ("event_id", "stream_id", "version", "type", "data")
select gen_random_uuid(), o."id"::text, pg_temp.next(o."id"::text), 'PayoutBaseline',
  jsonb_build_object(
    'payoutId', o."id",
    'payeeId', o."payee_id",
    'participantIds', jsonb_build_array(o."payee_id"),
    'status', o."status",
    'statusReason', o."status_reason",
    'amount', pg_temp.money(o."amount", o."currency"),
    'createdAt', pg_temp.at(o."created_at"),
    'state', jsonb_build_object(
      'origin', o."origin",
      'periodFrom', pg_temp.at(o."period_from"),
      'periodTo', pg_temp.at(o."period_to"),
      'transferredAt', pg_temp.at(o."transferred_at"),
      'reversedAt', pg_temp.at(o."reversed_at"),
      'expectedAt', pg_temp.at(o."expected_at"),
      'arrivedAt', pg_temp.at(o."arrived_at"),
      'stoppedAt', pg_temp.at(o."stopped_at"),
      'returnedAt', pg_temp.at(o."returned_at"),
      'closedAs', o."closed_as",
      'version', o."version"
    )
  ) || jsonb_strip_nulls(jsonb_build_object('failureCode', pg_temp.code(o."failure_code")))
from "payouts" o
order by o."id";
--> statement-breakpoint
-- What was posted before no event has told of. It belongs to a payment, or to a dispute about one, to a payout or to a debt.
insert into "events" ("event_id", "stream_id", "version", "type", "data", "occurred_at")
select gen_random_uuid(), t."id"::text, 1, 'LedgerTransactionPosted',
  jsonb_build_object(
    'transactionId', t."id",
    'paymentId', t."payment_id",
    'payoutId', t."payout_id",
    'disputeId', t."dispute_id",
    'debtId', t."debt_id",
    'kind', t."kind",
    'currency', t."currency",
    'postedAt', pg_temp.at(t."posted_at"),
    'entries', (
      select jsonb_agg(jsonb_build_object(
        'account', split_part(e."account", ':', 1),
        'ownerId', nullif(split_part(e."account", ':', 2), ''),
        'amount', e."amount"
      ) order by e."account")
      from "ledger_entries" e where e."transaction_id" = t."id"
    ),
    'participantIds', case
      when p."id" is not null then pg_temp.both(p."payer_id", p."payee_id")
      else jsonb_build_array(coalesce(o."payee_id", b."payee_id"))
    end
  ),
  t."posted_at"
from "ledger_transactions" t
  left join "disputes" d on d."id" = t."dispute_id"
  left join "payments" p on p."id" = coalesce(t."payment_id", d."payment_id")
  left join "payouts" o on o."id" = t."payout_id"
  left join "debts" b on b."id" = t."debt_id"
order by t."id";
--> statement-breakpoint
drop function pg_temp.at(timestamptz), pg_temp.money(bigint, text), pg_temp.code(text), pg_temp.both(uuid, uuid), pg_temp.next(text);
