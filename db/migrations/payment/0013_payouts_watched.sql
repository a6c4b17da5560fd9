ALTER TABLE "payouts" ADD COLUMN "swept_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "payouts_arrived" ON "payouts" USING btree ("arrived_at") WHERE arrived_at is not null;--> statement-breakpoint
ALTER TABLE "payouts" ADD CONSTRAINT "payouts_completed_arrived" CHECK ("payouts"."status" <> 'completed' or "payouts"."arrived_at" is not null);