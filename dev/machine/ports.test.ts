import { freePortSettings } from './ports';

test('no port of a platform is given twice, and behind that of management there is room for all its processes', async () => {
  const { MANAGEMENT_PORT, ...others } = await freePortSettings();
  const ports = Object.values(others).map(Number);
  expect(new Set(ports).size).toBe(ports.length);
  const first = Number(MANAGEMENT_PORT);
  expect(first).toBeGreaterThan(0);
  expect(ports.filter((port) => port >= first && port < first + 15)).toEqual([]);
});
