-- A booking keeps the slot of its session, as before, and beside it what it has reserved for a move. The code of before runs on beside this:
-- what it writes and finds is a session's slot, by "booking_id", in which its `on conflict ("booking_id")` finds a unique index as it must.
ALTER TABLE "slots" DROP CONSTRAINT "slots_pkey";--> statement-breakpoint
ALTER TABLE "slots" ALTER COLUMN "booking_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "slots" ADD COLUMN "id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL;--> statement-breakpoint
ALTER TABLE "slots" ADD COLUMN "reserved_by" uuid;--> statement-breakpoint
ALTER TABLE "slots" ADD COLUMN "reserved_under" text;--> statement-breakpoint
ALTER TABLE "slots" ADD CONSTRAINT "slots_booking_id_unique" UNIQUE("booking_id");--> statement-breakpoint
ALTER TABLE "slots" ADD CONSTRAINT "slots_reserved_once" UNIQUE("reserved_by","during");--> statement-breakpoint
ALTER TABLE "slots" ADD CONSTRAINT "slots_keeper" CHECK (num_nonnulls(booking_id, reserved_by) = 1 and (reserved_by is null) = (reserved_under is null)
        and (reserved_by is null or state = 'booked'));
