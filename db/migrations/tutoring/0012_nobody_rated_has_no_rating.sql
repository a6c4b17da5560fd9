-- A rating is there once somebody has rated: the events of reviews are all that it is made of.
DELETE FROM tutor_ratings WHERE count = 0;
