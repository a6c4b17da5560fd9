-- The code of before, which runs beside this one for a while, knows bookings alone and guards them by "booking_guards". Whatever it writes
-- there it writes to "payment_guards" first, so that it waits for the same row as this code does; the mark that stands there comes back.
CREATE FUNCTION booking_guards_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO payment_guards AS guard (subject_kind, subject_id, settled_at)
  VALUES ('booking', NEW.booking_id, NEW.settled_at)
  ON CONFLICT (subject_kind, subject_id) DO UPDATE SET settled_at = coalesce(guard.settled_at, excluded.settled_at)
  RETURNING guard.settled_at INTO NEW.settled_at;
  RETURN NEW;
END $$;
--> statement-breakpoint
-- On updates too: what the code of before finds there, and keeps as it is, may be older than the mark.
CREATE TRIGGER booking_guards_follow BEFORE INSERT OR UPDATE ON booking_guards
  FOR EACH ROW EXECUTE FUNCTION booking_guards_follow();
--> statement-breakpoint
INSERT INTO "payment_guards" ("subject_kind", "subject_id", "settled_at")
SELECT 'booking', "booking_id", "settled_at" FROM "booking_guards";
--> statement-breakpoint
-- The code of before stores payments without a subject, and finds those of bookings by "booking_id".
CREATE FUNCTION payments_have_subjects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.subject_kind IS NULL THEN
    NEW.subject_kind := CASE WHEN NEW.booking_id IS NULL THEN 'direct' ELSE 'booking' END;
    NEW.subject_id := coalesce(NEW.booking_id, NEW.id);
  ELSIF NEW.subject_kind = 'booking' THEN
    NEW.booking_id := NEW.subject_id;
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER payments_have_subjects BEFORE INSERT ON payments
  FOR EACH ROW EXECUTE FUNCTION payments_have_subjects();
--> statement-breakpoint
UPDATE "payments"
SET "subject_kind" = CASE WHEN "booking_id" IS NULL THEN 'direct' ELSE 'booking' END, "subject_id" = coalesce("booking_id", "id");
