-- The row of an address is there before that of its user, whose insert it decides.
ALTER TABLE "email_addresses" ALTER CONSTRAINT "email_addresses_user_id_users_id_fk" DEFERRABLE INITIALLY DEFERRED;--> statement-breakpoint
-- Whoever writes an account takes its address, and waits for whoever is taking the same one. An address that is kept for a person whose account
-- has another one now is as taken as any: an insert does nothing, as one with ON CONFLICT DO NOTHING does, and an update is refused. That of an
-- account's own address is left to the unique index of the accounts.
CREATE FUNCTION take_email_address() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wanted text := lower(NEW.email);
  owner uuid;
BEGIN
  INSERT INTO email_addresses (address, user_id) VALUES (wanted, NEW.id) ON CONFLICT DO NOTHING;
  IF FOUND THEN RETURN NEW; END IF;
  SELECT user_id INTO owner FROM email_addresses WHERE address = wanted;
  IF owner = NEW.id OR EXISTS (SELECT FROM users WHERE lower(email) = wanted) THEN RETURN NEW; END IF;
  IF TG_OP = 'INSERT' THEN RETURN NULL; END IF;
  RAISE unique_violation USING MESSAGE = 'the address is another person''s', CONSTRAINT = 'email_addresses_pkey';
END $$;--> statement-breakpoint
CREATE TRIGGER users_take_email_address BEFORE INSERT OR UPDATE OF email ON users
  FOR EACH ROW EXECUTE FUNCTION take_email_address();--> statement-breakpoint
INSERT INTO email_addresses (address, user_id) SELECT lower(email), id FROM users;
