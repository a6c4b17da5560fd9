import { databaseName } from '../../db/roles';
import type { Stack } from '../stack';

// Notifications off, without a switch in the product: the services listen as always, and nobody tells them anything. What identity and the
// bus call as `pg_notify` is found in a schema that comes before Postgres's own, and does nothing.

const SCHEMA = 'unheard';
const PATH = `${SCHEMA}, public, pg_catalog`;

/** Has nothing announced any more by identity and by the bus. The services are started anew: it counts for new connections. */
export async function silence({ platform, asSuperuser }: Stack): Promise<void> {
  const [identity, bus] = [databaseName('identity'), databaseName('bus')];
  await platform.halt('services');
  for (const database of [identity, bus]) {
    await asSuperuser(database, (sql) =>
      sql.unsafe(`
        create schema ${SCHEMA};
        grant usage on schema ${SCHEMA} to public;
        create function ${SCHEMA}.pg_notify(text, text) returns void language sql as ''`),
    );
  }
  await asSuperuser(identity, (sql) =>
    sql.unsafe(`alter role identity in database ${identity} set search_path = ${PATH}`),
  );
  // The function has a path of its own, whoever calls it.
  await asSuperuser(bus, (sql) => sql.unsafe(`alter function append_events set search_path = ${PATH}, pg_temp`));
  await platform.resume('services');
}

/** Counts what is announced by identity and by the bus from now on, to know that it is so. */
export async function listenTo({ database, bus }: Stack): Promise<{ heard(): number }> {
  let heard = 0;
  for (const sql of [database('identity'), bus]) {
    await sql.listen('changed', () => {
      heard += 1;
    });
  }
  return { heard: () => heard };
}
