ALTER TABLE "tutor_profiles" ADD COLUMN "subjects" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "tutor_profiles" ADD COLUMN "subject_keys" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
update "tutor_profiles" set "subjects" = "names", "subject_keys" = "keys"
  from (
    select "tutor_id", array_agg("name" order by "position") as "names", array_agg("key" order by "position") as "keys"
    from "tutor_subjects" group by "tutor_id"
  ) as "taught" where "taught"."tutor_id" = "id";--> statement-breakpoint
DROP TABLE "tutor_subjects";--> statement-breakpoint
CREATE INDEX "tutor_profiles_subjects" ON "tutor_profiles" USING gin ("subject_keys") WHERE listed;
