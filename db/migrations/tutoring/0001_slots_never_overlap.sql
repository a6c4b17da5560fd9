-- btree_gist lets a GiST index compare uuids. It is a trusted extension: the database's owner may create it.
CREATE EXTENSION IF NOT EXISTS btree_gist;
--> statement-breakpoint
ALTER TABLE "slots" ADD CONSTRAINT "slots_never_overlap" EXCLUDE USING gist ("tutor_id" WITH =, "during" WITH &&);
