import { type BusAppender, type BusReader, type Lease, LeaseOver } from '../../platform/bus/transport';
import { uuidv7 } from '../../platform/ids';
import { busEvent, readAll } from './bus';

/** A transport under test. Each call of `open` is another process; all see the same bus. */
export interface TestedTransport {
  open(): { appender: BusAppender; reader: BusReader };
  /** Has the lease of a topic run out, as if its holder had slept. */
  expire(topic: string): Promise<void>;
}

/** What every transport of the event bus promises. A second transport is held to the same tests. */
export function describeTransport(name: string, transport: () => TestedTransport): void {
  describe(`the event bus in ${name}`, () => {
    const topic = () => `notification.${uuidv7()}`;
    const lease = async (appender: BusAppender, of: string): Promise<Lease> => {
      const taken = await appender.takeLease(of, 'test');
      if (!taken) throw new Error('the lease is taken');
      return taken;
    };

    test('gives events in the order in which they were appended, page by page, as they were', async () => {
      const { appender, reader } = transport().open();
      const of = topic();
      const events = Array.from({ length: 7 }, (_, n) =>
        busEvent({ streamversion: n + 1, data: { n, at: '2026-11-29T10:00:00Z', nested: { list: [1, null, 'ü€'] } } }),
      );
      const held = await lease(appender, of);
      await appender.append(held, events.slice(0, 4), false);
      await appender.append(held, events.slice(4), false);
      const read = await readAll(reader, of, null, 3);
      expect(read.map(({ event }) => event)).toEqual(events);
      expect(new Set(read.map(({ cursor }) => cursor)).size).toBe(7);
      const fourth = read[3]?.cursor;
      if (!fourth) throw new Error('there is no fourth');
      expect((await readAll(reader, of, fourth)).map(({ event }) => event.id)).toEqual(
        events.slice(4).map(({ id }) => id),
      );
      expect((await reader.read(of, fourth, 1)).behind).toBe(2);
      expect((await reader.read(of, null, 100)).behind).toBe(0);
      const upTo = (await reader.read(of, null, 100, fourth)).items;
      expect(upTo.map(({ event }) => event.id)).toEqual(events.slice(0, 4).map(({ id }) => id));
    });

    test('knows nothing of a topic that nobody has appended to', async () => {
      const { reader } = transport().open();
      const of = topic();
      expect(await reader.read(of, null, 10)).toEqual({ items: [], behind: 0 });
      expect(await reader.tail(of)).toBeNull();
      expect(await reader.before(of, 0)).toBeNull();
    });

    test('appends an event once, however often it is handed over', async () => {
      const { appender, reader } = transport().open();
      const of = topic();
      const events = Array.from({ length: 3 }, () => busEvent());
      const [first, second, third] = events;
      if (!first || !second || !third) throw new Error('there are three');
      const held = await lease(appender, of);
      await appender.append(held, [first, second], false);
      await appender.append(held, [first, second, third], false);
      await appender.append(held, events, false);
      expect((await readAll(reader, of)).map(({ event }) => event.id)).toEqual(events.map(({ id }) => id));
    });

    test('gives the lease of a topic to one, and to the next when it ends or has run out', async () => {
      const [one, other] = [transport().open(), transport().open()];
      const of = topic();
      const taken = await Promise.all([one, other, one, other].map(({ appender }) => appender.takeLease(of, 'test')));
      expect(taken.filter(Boolean)).toHaveLength(1);
      const first = taken.find(Boolean);
      if (!first) throw new Error('nobody has it');
      await one.appender.keepLease(first);
      await one.appender.endLease(first);
      const second = await lease(other.appender, of);
      expect(second.epoch).toBeGreaterThan(first.epoch);
      expect(await one.appender.takeLease(of, 'test')).toBeUndefined();
      await transport().expire(of);
      expect((await lease(one.appender, of)).epoch).toBeGreaterThan(second.epoch);
    });

    test('refuses whoever comes with a lease of before, and appends nothing of theirs', async () => {
      const [one, other] = [transport().open(), transport().open()];
      const of = topic();
      const stale = await lease(one.appender, of);
      await transport().expire(of);
      // Also where nobody else has taken it.
      await expect(one.appender.append(stale, [busEvent()], false)).rejects.toThrow(LeaseOver);
      await expect(one.appender.keepLease(stale)).rejects.toThrow(LeaseOver);
      const current = await lease(other.appender, of);
      await expect(one.appender.append(stale, [busEvent()], false)).rejects.toThrow(LeaseOver);
      await one.appender.endLease(stale);
      const mine = busEvent();
      await other.appender.append(current, [mine], false);
      expect((await readAll(other.reader, of)).map(({ event }) => event.id)).toEqual([mine.id]);
    });

    test('keeps of a keyed topic the newest of each stream, behind what was read of it before', async () => {
      const { appender, reader } = transport().open();
      const of = topic();
      const [ada, bob] = [uuidv7(), uuidv7()];
      const held = await lease(appender, of);
      const at = (subject: string, streamversion: number, data: Record<string, unknown> | null) =>
        busEvent({ subject, streamversion, data });
      await appender.append(held, [at(ada, 1, { name: 'Ada' }), at(bob, 1, { name: 'Bob' })], true);
      const [first] = (await reader.read(of, null, 1)).items;
      if (!first) throw new Error('there is one');
      expect((await reader.at(of, first.cursor))?.data).toEqual({ name: 'Ada' });
      const tail = await reader.tail(of);
      await appender.append(held, [at(ada, 3, { name: 'Ada L.' })], true);
      await appender.append(held, [at(ada, 2, { name: 'an older one that comes late' })], true);
      await appender.append(held, [at(ada, 3, { name: 'the same once more' })], true);
      const said = async (after = null as typeof tail) =>
        (await readAll(reader, of, after)).map(({ event }) => [event.subject, event.streamversion, event.data]);
      expect(await said()).toEqual([
        [bob, 1, { name: 'Bob' }],
        [ada, 3, { name: 'Ada L.' }],
      ]);
      expect(await said(tail)).toEqual([[ada, 3, { name: 'Ada L.' }]]);
      expect(await reader.at(of, first.cursor)).toBeUndefined();
      await appender.append(held, [at(bob, 2, null)], true);
      expect((await said()).at(-1)).toEqual([bob, 2, null]);
    });

    test('wakes who waits for a topic, in every process, and nobody else', async () => {
      const [one, other] = [transport().open(), transport().open()];
      const [of, elsewhere] = [topic(), topic()];
      const held = await lease(one.appender, of);
      // Everybody is woken once when it begins to listen, since nobody has heard what was told before.
      await other.reader.appended(of, 600_000).happened;
      const never = other.reader.appended(elsewhere, 600_000);
      const far = other.reader.appended(of, 600_000);
      await one.appender.append(held, [busEvent()], false);
      await far.happened;
      const last = await Promise.race([never.happened.then(() => 'woken'), other.reader.ping().then(() => 'waits')]);
      expect(last).toBe('waits');
      never.stop();
      await never.happened;
    });

    test('says where it stood some time ago', async () => {
      const { appender, reader } = transport().open();
      const of = topic();
      const held = await lease(appender, of);
      await appender.append(held, [busEvent(), busEvent()], false);
      expect(await reader.before(of, 3_600)).toBeNull();
      expect(await reader.before(of, -1)).toBe(await reader.tail(of));
    });

    test('takes back its own cursors and nothing else', async () => {
      const { appender, reader } = transport().open();
      const of = topic();
      await appender.append(await lease(appender, of), [busEvent()], false);
      const [item] = (await reader.read(of, null, 1)).items;
      expect(reader.cursor(String(item?.cursor))).toBe(item?.cursor);
      for (const text of ['', '0', 'x', '-1', `${item?.cursor}x`])
        expect(() => reader.cursor(text)).toThrow(RangeError);
    });
  });
}
