-- What has got anywhere had its saga. Of the rest nobody knows: it stays without, and is looked at again.
update "payments" set "saga_started_at" = "created_at" where "booking_id" is null and "status" <> 'pending';
--> statement-breakpoint
update "refunds" set "saga_started_at" = "created_at" where "status" <> 'pending' or "stripe_refund_id" is not null;
