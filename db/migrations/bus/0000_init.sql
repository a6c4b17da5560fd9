CREATE TABLE "messages" (
	"topic" text NOT NULL,
	"offset" bigint NOT NULL,
	"event_id" uuid NOT NULL,
	"stream_id" text NOT NULL,
	"version" integer NOT NULL,
	"type" text NOT NULL,
	"data" jsonb,
	"keyed" boolean NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"appended_at" timestamp with time zone NOT NULL,
	CONSTRAINT "messages_topic_offset_pk" PRIMARY KEY("topic","offset"),
	CONSTRAINT "messages_event" UNIQUE("topic","event_id")
);
--> statement-breakpoint
CREATE TABLE "topics" (
	"name" text PRIMARY KEY NOT NULL,
	"next_offset" bigint DEFAULT 0 NOT NULL,
	"epoch" bigint DEFAULT 0 NOT NULL,
	"holder" text,
	"leased_until" timestamp with time zone DEFAULT '-infinity' NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "messages_newest" ON "messages" USING btree ("topic","stream_id") WHERE keyed;