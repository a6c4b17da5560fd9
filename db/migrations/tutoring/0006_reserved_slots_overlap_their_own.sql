-- A session that moves by a quarter hour reserves a time that overlaps its own. Slots of two bookings of a tutor never do, as before.
ALTER TABLE "slots" DROP CONSTRAINT "slots_never_overlap";--> statement-breakpoint
ALTER TABLE "slots" ADD CONSTRAINT "slots_never_overlap"
  EXCLUDE USING gist ("tutor_id" WITH =, "during" WITH &&, (coalesce("booking_id", "reserved_by")) WITH <>);
