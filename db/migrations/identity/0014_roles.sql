CREATE TABLE "suspensions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"until" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone,
	"saga_started_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "tutor_accounts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"saga_started_at" timestamp with time zone,
	CONSTRAINT "tutor_accounts_status" CHECK ("tutor_accounts"."status" in ('pending', 'opened', 'refused'))
);
--> statement-breakpoint
ALTER TABLE "users" DROP CONSTRAINT "users_status";--> statement-breakpoint
ALTER TABLE "users" DROP CONSTRAINT "users_registration";--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "was_tutor" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "suspensions" ADD CONSTRAINT "suspensions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tutor_accounts" ADD CONSTRAINT "tutor_accounts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "suspensions_open" ON "suspensions" USING btree ("user_id") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "suspensions_unstarted" ON "suspensions" USING btree ("created_at") WHERE saga_started_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "tutor_accounts_pending" ON "tutor_accounts" USING btree ("user_id") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "tutor_accounts_unstarted" ON "tutor_accounts" USING btree ("created_at") WHERE saga_started_at is null and status = 'pending';--> statement-breakpoint
CREATE INDEX "users_admins" ON "users" USING btree ("id") WHERE role = 'admin';--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_status" CHECK ("users"."status" in ('pending', 'active', 'suspended'));--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_registration" CHECK ("users"."status" <> 'pending' or "users"."registration" is not null);--> statement-breakpoint
-- Who was a tutor and is an administrator.
UPDATE users SET was_tutor = true WHERE role = 'admin' AND EXISTS (
  SELECT FROM events WHERE stream_id = users.id::text AND type = 'UserRoleChanged' AND data ->> 'from' = 'tutor');
