ALTER TABLE "stripe_webhooks_log" ADD COLUMN "intent_id" text;--> statement-breakpoint
ALTER TABLE "stripe_webhooks_log" ADD COLUMN "account" text;--> statement-breakpoint
CREATE INDEX "stripe_webhooks_received" ON "stripe_webhooks_log" USING btree ("received_at","event_id");