-- What failed and nobody has given up is owed to its payer still: it counts as promised.
update "payments" p
set "refund_pending" = greatest(0, least(promised.amount, p."captured" - p."refunded"))
from (
  select "payment_id", sum("amount") as amount from "refunds"
  where "status" = 'pending' or ("status" = 'failed' and "closed_as" is distinct from 'failed')
  group by "payment_id"
) promised
where promised."payment_id" = p."id";
--> statement-breakpoint
-- Of those that their sagas have closed the payers have been told. Of a settlement's nobody knows: it was closed from the start.
update "refunds" set "told_try" = "tries" where "status" = 'succeeded' and "closed_as" = 'succeeded' and "origin" <> 'settlement';
