-- Events hold ids only and say whom they concern, those of before too. Where a tutor lives is in the profile.
update "events" set "data" =
  ("data" - 'timeZone') || jsonb_build_object('participantIds', jsonb_build_array("data" -> 'tutorId'));
