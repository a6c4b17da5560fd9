-- Whoever settles a notification erases the facts of its mail: also the code of before, which runs beside during a deploy and knows no facts.
create function "erase_facts"() returns trigger language plpgsql as $$
begin
  new."facts" := null;
  new."due_at" := null;
  return new;
end $$;
--> statement-breakpoint
create trigger "settled_notifications_lose_facts" before insert or update on "notifications" for each row
  when (new."status" <> 'pending' and new."facts" is not null) execute function "erase_facts"();
