-- Events say whom they concern, those of before too. A payout, a debt and what was earned concern the payee, an account its user, and
-- all else of a payment both of its people. No event is older than its payment, and no payment is ever deleted.
update "events" set "data" = "data" || jsonb_build_object('participantIds', jsonb_build_array("data" -> 'userId'))
where "type" in ('StripeAccountOpened', 'StripeAccountRemoved');
--> statement-breakpoint
update "events" set "data" = "data" || jsonb_build_object('participantIds', jsonb_build_array("data" -> 'payeeId'))
where "type" ~ '^(Payout|Debt)' or "type" = 'EarningsReleased';
--> statement-breakpoint
update "events" set "data" = "data" || jsonb_build_object(
  'participantIds',
  case when "payer_id" = "payee_id" then jsonb_build_array("payer_id") else jsonb_build_array("payer_id", "payee_id") end
)
from "payments" where not "data" ? 'participantIds' and "payments"."id"::text = "data" ->> 'paymentId';
--> statement-breakpoint
-- What Stripe and banks say is told as a code, or as none.
update "events" set "data" = "data" || (
  select jsonb_object_agg("key", 'other') from jsonb_each_text("data")
  where "key" in ('declineCode', 'failureCode', 'reason') and "value" !~ '^[a-z0-9_.]{1,64}$'
)
where exists (
  select from jsonb_each_text("data")
  where "key" in ('declineCode', 'failureCode', 'reason') and "value" !~ '^[a-z0-9_.]{1,64}$'
);
