-- All prices of a tutor are in one currency.
update "tutor_profiles" set "hourly_currency" = "priced"."currency"
  from (
    select distinct on ("tutor_id") "tutor_id", "currency" from "tutor_pricing_options" where "kind" = 'hourly' order by "tutor_id", "position"
  ) as "priced" where "priced"."tutor_id" = "tutor_profiles"."id" and "hourly_amount" is not null;
