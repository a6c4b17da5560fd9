import express from 'express';
import postgres from 'postgres';

// The least that one row costs with Express and Postgres: no gateway, no token, no limit, no contract. The product's reads are shown
// beside it, because what a machine gets done in a second is not the same from hour to hour. `BENCH_DATABASE_URL` is booking's.

const sql = postgres(process.env.BENCH_DATABASE_URL ?? '', { max: 10, onnotice: () => undefined });
const app = express();
app.disable('etag');
app.get('/bookings/:id', async (request, response) => {
  const [row] = await sql`select * from bookings where id = ${request.params.id}`;
  response.json(row ?? null);
});
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' && address ? address.port : undefined });
});
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(1));
