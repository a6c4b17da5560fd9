ALTER TABLE "tutor_pricing_options" ADD COLUMN "judged_under" text;--> statement-breakpoint
ALTER TABLE "tutor_profiles" ADD COLUMN "hourly_currency" text;--> statement-breakpoint
ALTER TABLE "tutor_profiles" ADD COLUMN "prices_refused_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "tutor_profiles" ADD COLUMN "prices_told_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "tutor_pricing_options_judged" ON "tutor_pricing_options" USING btree ("judged_under");--> statement-breakpoint
CREATE INDEX "tutor_profiles_currency_price" ON "tutor_profiles" USING btree ("hourly_currency","hourly_amount","id") WHERE listed;--> statement-breakpoint
CREATE INDEX "tutor_profiles_prices_untold" ON "tutor_profiles" USING btree ("prices_refused_at") WHERE prices_refused_at is not null and prices_told_at is null;