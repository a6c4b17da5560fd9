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
--> statement-breakpoint
-- The code of before, which runs beside this one for a while, would take from tutor and platform once more what they have given up
-- already for one of the payment's refunds. Refused, it is repeated until this code does it.
CREATE FUNCTION ledger_takes_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM ledger_transactions t JOIN ledger_transactions o ON o.payment_id = t.payment_id AND o.kind = 'refund_owed'
    WHERE t.id = NEW.transaction_id AND t.kind = 'refund'
  ) THEN
    RAISE EXCEPTION 'a refund takes what is owed, not from %', NEW.account
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_takes_once';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER ledger_entries_take_once BEFORE INSERT ON ledger_entries
  FOR EACH ROW WHEN (NEW.amount > 0 AND (NEW.account LIKE 'tutor\_%' OR NEW.account = 'platform_revenue'))
  EXECUTE FUNCTION ledger_takes_once();
