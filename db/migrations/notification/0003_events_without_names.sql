-- Events say whom they concern, those of before too.
update "events" set "data" =
  "data" || jsonb_build_object('participantIds', jsonb_build_array("data" -> 'recipientId'));
