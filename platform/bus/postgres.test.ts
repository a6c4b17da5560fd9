import { startTestBus, type TestBus } from '../../tests/support/bus';
import { describeTransport } from '../../tests/support/bus-contract';
import type { Bus } from './open';

let bus: TestBus;
const opened: Bus[] = [];
beforeAll(async () => {
  bus = await startTestBus();
});
afterEach(async () => {
  for (const other of opened.splice(0)) {
    other.stopWaiting();
    await other.close();
  }
});
afterAll(() => bus.close());

describeTransport('Postgres', () => ({
  open() {
    const other = bus.open();
    opened.push(other);
    return { appender: other.appender(), reader: other.reader() };
  },
  async expire(topic) {
    await bus.sql`update topics set leased_until = now() where name = ${topic}`;
  },
}));
