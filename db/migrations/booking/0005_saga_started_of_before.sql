-- Requests of before that are settled had their saga. Of the others nobody knows: they stay without, and are looked at again.
update "booking_requests" set "saga_started_at" = "created_at" where "settled_at" is not null;
