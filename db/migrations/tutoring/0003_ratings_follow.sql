-- The profile's copy of the rating, which a search is sorted and filtered by, follows the projection whoever writes it.
create function "copy_rating"() returns trigger language plpgsql as $$
begin
  update "tutor_profiles" set "rating_average" = new."average", "rating_count" = new."count" where "id" = new."tutor_id";
  return null;
end $$;
--> statement-breakpoint
create trigger "tutor_ratings_copied" after insert or update on "tutor_ratings" for each row execute function "copy_rating"();
--> statement-breakpoint
update "tutor_profiles" set "rating_average" = "average", "rating_count" = "count"
  from "tutor_ratings" where "tutor_ratings"."tutor_id" = "tutor_profiles"."id" and "count" > 0;
