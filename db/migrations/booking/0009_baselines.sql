-- From here on the fold of a booking's events is its row: each booking of before gets an event that says what it is like now. Who writes a
-- booking locks its row first, and so waits; the versions of streams stand still.
lock table "bookings" in exclusive mode;
--> statement-breakpoint
create function pg_temp.at(timestamptz) returns text language sql immutable
  as $$ select to_char($1 at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;
--> statement-breakpoint
insert into "events" ("event_id", "stream_id", "version", "type", "data")
select
  gen_random_uuid(),
  b."id"::text,
  (select coalesce(max(e."version"), 0) + 1 from "events" e where e."stream_id" = b."id"::text),
  'BookingBaseline',
  jsonb_build_object(
    'bookingId', b."id",
    'actor', 'system',
    'participantIds',
      case when b."student_id" = b."tutor_id" then jsonb_build_array(b."student_id") else jsonb_build_array(b."student_id", b."tutor_id") end,
    'studentId', b."student_id",
    'tutorId', b."tutor_id",
    'startsAt', pg_temp.at(b."starts_at"),
    'endsAt', pg_temp.at(b."ends_at"),
    'status', b."status",
    'statusReason', b."status_reason",
    'waitingUntil', pg_temp.at(b."waiting_until"),
    'durationMinutes', b."duration_minutes",
    'instantBooking', b."instant_booking",
    'cancelledBy', b."cancelled_by",
    'movedByTutorAt', pg_temp.at(b."moved_by_tutor_at"),
    'refundPercent', b."refund_percent",
    'refundDue', b."refund_due",
    'retained', b."retained",
    'createdAt', pg_temp.at(b."created_at")
  )
from "bookings" b
order by b."id";
--> statement-breakpoint
drop function pg_temp.at(timestamptz);
