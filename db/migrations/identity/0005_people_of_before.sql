-- Others learn of everybody who is there already.
INSERT INTO people_published (user_id, version, published_version)
  SELECT user_id, 1, 0 FROM user_profiles JOIN users ON users.id = user_id WHERE users.status = 'active';
