DROP INDEX "tutor_ratings_order";--> statement-breakpoint
ALTER TABLE "tutor_profiles" ADD COLUMN "rating_average" numeric(3, 2) DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "tutor_profiles" ADD COLUMN "rating_count" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "tutor_profiles_rating" ON "tutor_profiles" USING btree ("rating_average","rating_count","id") WHERE listed;