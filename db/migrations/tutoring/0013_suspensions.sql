ALTER TABLE "tutor_profiles" ADD COLUMN "suspended_by" uuid;--> statement-breakpoint
ALTER TABLE "tutor_profiles" ALTER COLUMN "listed" SET EXPRESSION AS (completed_at is not null and has_hours and hourly_amount is not null and suspended_by is null);
