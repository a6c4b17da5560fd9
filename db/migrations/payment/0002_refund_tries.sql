ALTER TABLE "refunds" ADD COLUMN "tries" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "refunds" ADD COLUMN "former_stripe_ids" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "refunds" ADD COLUMN "closed_as" text;--> statement-breakpoint
-- Those sagas have ended; the sagas of failed ones wait for an operator.
UPDATE "refunds" SET "closed_as" = 'succeeded' WHERE "status" = 'succeeded';
