ALTER TABLE "booking_snapshots" ALTER COLUMN "student_email" SET DEFAULT '';--> statement-breakpoint
ALTER TABLE "booking_snapshots" ALTER COLUMN "tutor_email" SET DEFAULT '';