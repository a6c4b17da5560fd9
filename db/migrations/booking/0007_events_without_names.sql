-- Events hold ids only and say whom they concern, those of before too. What is taught is in the booking, and what a cancel came to, which
-- the first ones told, in its payment. No event is older than its booking, and no booking is ever deleted.
update "events" set "data" =
  case "events"."type"
    when 'BookingRequested' then "data" - 'subject'
    when 'BookingCancelled' then "data" - array['refund', 'retained']
    else "data"
  end || jsonb_build_object('participantIds', jsonb_build_array("bookings"."student_id", "bookings"."tutor_id"))
from "bookings" where "bookings"."id"::text = "events"."stream_id";
