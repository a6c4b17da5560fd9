-- What the two roles of the bus may do: the appender calls these functions and nothing else, the reader reads. Both roles are the server's and
-- are made with the database (db/migrate.ts); where somebody else makes the database, they make these roles too.

-- Takes the lease of a topic, which is made when it is not there. Returns its epoch, or null while somebody else has it. All times are this
-- server's: the clocks of relays do not count.
CREATE FUNCTION take_lease(topic text, new_holder text, seconds double precision) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  taken bigint;
BEGIN
  PERFORM 1 FROM topics t WHERE t.name = take_lease.topic;
  IF NOT FOUND THEN
    INSERT INTO topics (name) VALUES (take_lease.topic) ON CONFLICT DO NOTHING;
  END IF;
  UPDATE topics t SET epoch = t.epoch + 1, holder = new_holder, leased_until = clock_timestamp() + make_interval(secs => seconds)
    WHERE t.name = take_lease.topic AND t.leased_until <= clock_timestamp()
    RETURNING t.epoch INTO taken;
  RETURN taken;
END $$;
--> statement-breakpoint
-- Whether the lease could be kept: not once its time was over, even where nobody else took it.
CREATE FUNCTION keep_lease(topic text, of_epoch bigint, seconds double precision) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE topics t SET leased_until = clock_timestamp() + make_interval(secs => seconds)
    WHERE t.name = keep_lease.topic AND t.epoch = of_epoch AND t.leased_until > clock_timestamp();
  RETURN FOUND;
END $$;
--> statement-breakpoint
CREATE FUNCTION end_lease(topic text, of_epoch bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE topics t SET leased_until = '-infinity' WHERE t.name = end_lease.topic AND t.epoch = of_epoch;
$$;
--> statement-breakpoint
-- Appends a batch in its order, gives each message the next offset, and keeps the lease. The lock of the topic's row is held until the
-- transaction ends, so offsets become visible in their order and without gaps. What was appended before is left out: by its event's id, and in
-- a keyed topic also by a version that is not newer. Returns how many were appended.
CREATE FUNCTION append_events(topic text, of_epoch bigint, seconds double precision, is_keyed boolean, batch jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  first bigint;
  until timestamptz;
  added integer;
BEGIN
  SELECT t.next_offset, t.leased_until INTO first, until FROM topics t
    WHERE t.name = append_events.topic AND t.epoch = of_epoch FOR NO KEY UPDATE;
  IF NOT FOUND OR until <= clock_timestamp() THEN
    RAISE EXCEPTION 'the lease of % with epoch % is over', append_events.topic, of_epoch USING ERRCODE = 'BU001';
  END IF;
  IF is_keyed THEN
    DELETE FROM messages m USING jsonb_to_recordset(batch) AS g(stream_id text, version integer)
      WHERE m.topic = append_events.topic AND m.keyed AND m.stream_id = g.stream_id AND m.version < g.version;
  END IF;
  INSERT INTO messages (topic, "offset", event_id, stream_id, version, type, data, keyed, occurred_at, appended_at)
    SELECT append_events.topic, first + row_number() OVER (ORDER BY g.place) - 1, g.event_id, g.stream_id, g.version, g.type, g.data,
           is_keyed, g.occurred_at, clock_timestamp()
    FROM ROWS FROM (jsonb_to_recordset(batch) AS (event_id uuid, stream_id text, version integer, type text, data jsonb, occurred_at timestamptz))
      WITH ORDINALITY AS g(event_id, stream_id, version, type, data, occurred_at, place)
    WHERE NOT EXISTS (SELECT FROM messages m WHERE m.topic = append_events.topic AND m.event_id = g.event_id)
      AND NOT (is_keyed AND EXISTS (SELECT FROM messages m WHERE m.topic = append_events.topic AND m.keyed AND m.stream_id = g.stream_id));
  GET DIAGNOSTICS added = ROW_COUNT;
  UPDATE topics t SET next_offset = first + added, leased_until = clock_timestamp() + make_interval(secs => seconds)
    WHERE t.name = append_events.topic;
  IF added > 0 THEN
    PERFORM pg_notify('changed', append_events.topic);
  END IF;
  RETURN added;
END $$;
--> statement-breakpoint
REVOKE ALL ON FUNCTION take_lease, keep_lease, end_lease, append_events FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION take_lease, keep_lease, end_lease, append_events TO bus_appender;
--> statement-breakpoint
GRANT SELECT ON topics, messages TO bus_reader;
