-- What is written without spaces is found by any part from now on, as `indexedWords` of the rules says. The words of before are without
-- accents and in lower case already; the ranges are those of its scripts, Hangul's as its letters, into which the words are taken apart.
update "tutor_profiles" set "search" = "search" || (
  select array_to_tsvector(array_agg(distinct coalesce(substr("run"[1], "start", 3), "run"[2])))
  from unnest(tsvector_to_array("search")) as "word",
    regexp_matches("word", '([\u0E01-\u0EDF\u1000-\u109F\u1100-\u11FF\u1780-\u17FF\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303B\u3041-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAA60-\uAA7F\uD7B0-\uD7FF\uF900-\uFAFF\U00020000-\U0003FFFF]+)|([^\u0E01-\u0EDF\u1000-\u109F\u1100-\u11FF\u1780-\u17FF\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303B\u3041-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAA60-\uAA7F\uD7B0-\uD7FF\uF900-\uFAFF\U00020000-\U0003FFFF]+)', 'g') as "run",
    generate_series(1, coalesce(length("run"[1]), 1)) as "start"
) where "search"::text ~ '[\u0E01-\u0EDF\u1000-\u109F\u1100-\u11FF\u1780-\u17FF\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303B\u3041-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAA60-\uAA7F\uD7B0-\uD7FF\uF900-\uFAFF\U00020000-\U0003FFFF]';
