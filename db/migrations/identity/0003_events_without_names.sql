-- Events hold ids only and say whom they concern, those of before too. What a profile said is in the profile, and nowhere else.
update "events" set "data" =
  case "type" when 'UserProfileUpdated' then jsonb_build_object('userId', "data" -> 'userId') else "data" end
  || jsonb_build_object('participantIds', jsonb_build_array("data" -> 'userId'));
