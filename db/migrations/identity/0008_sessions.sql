ALTER TABLE "refresh_tokens" ADD COLUMN "successor_hash" text;--> statement-breakpoint
ALTER TABLE "refresh_tokens" ADD COLUMN "refresh_id" uuid;--> statement-breakpoint
ALTER TABLE "refresh_tokens" ADD COLUMN "sealed" jsonb;--> statement-breakpoint
ALTER TABLE "user_sessions" ADD COLUMN "method" text DEFAULT 'password' NOT NULL;--> statement-breakpoint
CREATE INDEX "refresh_tokens_sealed" ON "refresh_tokens" USING btree ("created_at") WHERE sealed is not null;--> statement-breakpoint
ALTER TABLE "user_sessions" ADD CONSTRAINT "user_sessions_method" CHECK ("user_sessions"."method" ~ '^(password|passkey|oidc:[a-z0-9-]{1,32})$');