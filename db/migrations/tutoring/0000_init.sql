CREATE TABLE "certifications" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tutor_id" uuid NOT NULL,
	"name" text NOT NULL,
	"issuer" text NOT NULL,
	"issued_on" date,
	"expires_on" date,
	"credential_url" text
);
--> statement-breakpoint
CREATE TABLE "education" (
	"tutor_id" uuid NOT NULL,
	"position" smallint NOT NULL,
	"institution" text NOT NULL,
	"degree" text NOT NULL,
	"start_year" smallint,
	"end_year" smallint,
	CONSTRAINT "education_tutor_id_position_pk" PRIMARY KEY("tutor_id","position")
);
--> statement-breakpoint
CREATE TABLE "events" (
	"position" bigserial PRIMARY KEY NOT NULL,
	"event_id" uuid NOT NULL,
	"stream_id" text NOT NULL,
	"version" integer NOT NULL,
	"type" text NOT NULL,
	"data" jsonb NOT NULL,
	"occurred_at" timestamp with time zone DEFAULT now() NOT NULL,
	"published_at" timestamp with time zone,
	CONSTRAINT "events_event_id_unique" UNIQUE("event_id"),
	CONSTRAINT "events_stream_version" UNIQUE("stream_id","version")
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"owner" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"resource_id" uuid NOT NULL,
	"leased_until" timestamp with time zone,
	"reply_status" integer,
	"reply_body" json,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_owner_key_pk" PRIMARY KEY("owner","key")
);
--> statement-breakpoint
CREATE TABLE "slots" (
	"booking_id" uuid PRIMARY KEY NOT NULL,
	"tutor_id" uuid NOT NULL,
	"during" "tstzrange" NOT NULL,
	"state" text NOT NULL,
	"expires_at" timestamp with time zone,
	CONSTRAINT "slots_state" CHECK (state in ('held', 'booked') and (state = 'held') = (expires_at is not null)),
	CONSTRAINT "slots_during" CHECK (not isempty(during) and lower_inc(during) and not upper_inc(during))
);
--> statement-breakpoint
CREATE TABLE "tutor_availability" (
	"tutor_id" uuid NOT NULL,
	"position" smallint NOT NULL,
	"weekday" smallint,
	"date" date,
	"from_minute" smallint,
	"to_minute" smallint,
	CONSTRAINT "tutor_availability_tutor_id_position_pk" PRIMARY KEY("tutor_id","position"),
	CONSTRAINT "tutor_availability_day" CHECK (num_nonnulls(weekday, date) = 1 and weekday between 1 and 7),
	CONSTRAINT "tutor_availability_hours" CHECK ((from_minute is null and to_minute is null and date is not null)
        or (from_minute >= 0 and from_minute < to_minute and to_minute <= 1440))
);
--> statement-breakpoint
CREATE TABLE "tutor_pricing_options" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tutor_id" uuid NOT NULL,
	"position" smallint NOT NULL,
	"kind" text NOT NULL,
	"amount" bigint NOT NULL,
	"currency" text NOT NULL,
	"sessions" integer,
	"label" text,
	CONSTRAINT "tutor_pricing_options_position" UNIQUE("tutor_id","position"),
	CONSTRAINT "tutor_pricing_options_amount" CHECK (amount >= 100),
	CONSTRAINT "tutor_pricing_options_kind" CHECK (kind in ('hourly', 'package') and (kind = 'package') = (sessions is not null))
);
--> statement-breakpoint
CREATE TABLE "tutor_profiles" (
	"id" uuid PRIMARY KEY NOT NULL,
	"display_name" text NOT NULL,
	"headline" text DEFAULT '' NOT NULL,
	"biography" text DEFAULT '' NOT NULL,
	"languages" text[] DEFAULT '{}' NOT NULL,
	"language_keys" text[] DEFAULT '{}' NOT NULL,
	"time_zone" text NOT NULL,
	"instant_booking" boolean DEFAULT false NOT NULL,
	"search" "tsvector" DEFAULT '' NOT NULL,
	"has_hours" boolean DEFAULT false NOT NULL,
	"hourly_amount" bigint,
	"completed_at" timestamp with time zone,
	"verified_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"listed" boolean GENERATED ALWAYS AS (completed_at is not null and has_hours and hourly_amount is not null) STORED NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tutor_ratings" (
	"tutor_id" uuid PRIMARY KEY NOT NULL,
	"average" numeric(3, 2) DEFAULT 0 NOT NULL,
	"count" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tutor_subjects" (
	"tutor_id" uuid NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"position" smallint NOT NULL,
	CONSTRAINT "tutor_subjects_tutor_id_key_pk" PRIMARY KEY("tutor_id","key")
);
--> statement-breakpoint
ALTER TABLE "certifications" ADD CONSTRAINT "certifications_tutor_id_tutor_profiles_id_fk" FOREIGN KEY ("tutor_id") REFERENCES "public"."tutor_profiles"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "education" ADD CONSTRAINT "education_tutor_id_tutor_profiles_id_fk" FOREIGN KEY ("tutor_id") REFERENCES "public"."tutor_profiles"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "slots" ADD CONSTRAINT "slots_tutor_id_tutor_profiles_id_fk" FOREIGN KEY ("tutor_id") REFERENCES "public"."tutor_profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tutor_availability" ADD CONSTRAINT "tutor_availability_tutor_id_tutor_profiles_id_fk" FOREIGN KEY ("tutor_id") REFERENCES "public"."tutor_profiles"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tutor_pricing_options" ADD CONSTRAINT "tutor_pricing_options_tutor_id_tutor_profiles_id_fk" FOREIGN KEY ("tutor_id") REFERENCES "public"."tutor_profiles"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tutor_ratings" ADD CONSTRAINT "tutor_ratings_tutor_id_tutor_profiles_id_fk" FOREIGN KEY ("tutor_id") REFERENCES "public"."tutor_profiles"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tutor_subjects" ADD CONSTRAINT "tutor_subjects_tutor_id_tutor_profiles_id_fk" FOREIGN KEY ("tutor_id") REFERENCES "public"."tutor_profiles"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "certifications_tutor" ON "certifications" USING btree ("tutor_id");--> statement-breakpoint
CREATE INDEX "events_unpublished" ON "events" USING btree ("position") WHERE published_at is null;--> statement-breakpoint
CREATE INDEX "idempotency_keys_created" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "tutor_profiles_price" ON "tutor_profiles" USING btree ("hourly_amount","id") WHERE listed;--> statement-breakpoint
CREATE INDEX "tutor_profiles_newest" ON "tutor_profiles" USING btree ("id") WHERE listed;--> statement-breakpoint
CREATE INDEX "tutor_profiles_search" ON "tutor_profiles" USING gin ("search") WHERE listed;--> statement-breakpoint
CREATE INDEX "tutor_profiles_languages" ON "tutor_profiles" USING gin ("language_keys") WHERE listed;--> statement-breakpoint
CREATE INDEX "tutor_ratings_order" ON "tutor_ratings" USING btree ("average","count","tutor_id");--> statement-breakpoint
CREATE INDEX "tutor_subjects_key" ON "tutor_subjects" USING btree ("key","tutor_id");