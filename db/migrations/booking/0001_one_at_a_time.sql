-- btree_gist lets an exclusion constraint compare a uuid for equality; the extension is trusted, so the owner may add it.
create extension if not exists btree_gist;
--> statement-breakpoint
alter table "bookings" add constraint "bookings_one_at_a_time"
  exclude using gist ("student_id" with =, tstzrange("starts_at", "ends_at") with &&)
  where ("status" in ('pending', 'confirmed'));
